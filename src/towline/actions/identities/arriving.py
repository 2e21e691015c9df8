"""A browser goes to a provider and comes back: what is kept meanwhile, and who it turns out to be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from secrets import compare_digest
from typing import Final

from towline.actions.identities.administration import client_of, get_provider
from towline.actions.identities.base import Attempt, Profile
from towline.actions.identities.kinds import PROVIDERS
from towline.actions.platform import Platform
from towline.actions.tickets import issue_ticket, use_ticket
from towline.errors import NotFound, SignInRefused
from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.identities import IdentityProvider
from towline.models.sessions import Ticket

VALID_FOR: Final = timedelta(minutes=10)
_KIND: Final = "provider_sign_in"
_NEXT: Final = re.compile(r"/(?:[A-Za-z0-9._~?=&%-][A-Za-z0-9/._~?=&%-]*)?")
_LONGEST_NEXT: Final = 500


@dataclass(frozen=True, slots=True)
class Departure:
    """What a browser goes away with. `user_id` is who wants to add an identity, empty for a sign-in."""

    secret: str
    user_id: str = ""
    next_path: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who came back from which provider, and what for."""

    provider: IdentityProvider
    profile: Profile
    user_id: str
    next_path: str


async def depart(platform: Platform, name: str, departure: Departure) -> str:
    """Where to send a browser that holds a secret, so that only the same browser can come back, once.

    NotFound for an unknown or disabled provider, ProviderUnavailable when it does not answer.
    """
    content = {
        "provider": name,
        "browser": hash_token(departure.secret),
        "user": departure.user_id,
        "next": safe_path(departure.next_path),
    }
    async with platform.database.transaction() as work:
        provider = await _get_enabled(work, name)
        state = await issue_ticket(work, _KIND, content=content, valid_for=VALID_FOR)
    attempt = Attempt.of_browser(departure.secret, state=state)
    return await PROVIDERS[provider.kind].authorization_url(client_of(platform, provider), attempt)


async def arrive(platform: Platform, name: str, answer: Mapping[str, str], *, secret: str) -> Arrival:
    """Who a browser with this secret came back as.

    SignInRefused when it did not begin this, or the provider's answer is not for it; each answer counts once.
    """
    state = answer.get("state", "")
    async with platform.database.transaction() as work:
        provider = await _get_enabled(work, name)
        ticket = await _use(work, name, state, secret=secret)
    attempt = Attempt.of_browser(secret, state=state)
    profile = await PROVIDERS[provider.kind].fetch_profile(client_of(platform, provider), attempt, answer)
    return Arrival(provider, profile, ticket.content["user"], ticket.content["next"])


def safe_path(path: str) -> str:
    """A path of Towline's own pages to go on to; empty for anything else."""
    return path if len(path) <= _LONGEST_NEXT and _NEXT.fullmatch(path) else ""


async def _use(work: Work, name: str, state: str, *, secret: str) -> Ticket:
    hint = "Begin at the sign-in page again, in the same browser, with cookies allowed."
    try:
        ticket = await use_ticket(work, _KIND, state)
    except NotFound as error:
        raise SignInRefused("This sign-in was finished already, or is too old.", hint=hint) from error
    is_same_browser = compare_digest(ticket.content["browser"], hash_token(secret))
    if not secret or not is_same_browser or ticket.content["provider"] != name:
        raise SignInRefused("This sign-in was not begun in this browser.", hint=hint)
    return ticket


async def _get_enabled(work: Work, name: str) -> IdentityProvider:
    provider = await get_provider(work.session, name)
    if not provider.is_enabled or provider.name != name:
        raise NotFound(f"There is no identity provider {name!r}.", hint="Choose another way at the sign-in page.")
    return provider
