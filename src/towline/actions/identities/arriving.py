"""A browser goes to a provider and comes back: what it takes along, and who it turns out to be.

Nothing is kept meanwhile: the state that goes to the provider and back is sealed, and bound to a secret of the browser.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import compare_digest
from typing import Any, Final, cast

import orjson
from sqlalchemy.dialects.postgresql import insert

from towline.actions.identities.administration import client_of, get_provider
from towline.actions.identities.base import Attempt, Profile
from towline.actions.identities.kinds import PROVIDERS
from towline.actions.platform import Platform
from towline.errors import KeyMismatch, NotFound, SignInRefused
from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.base import utc_now
from towline.models.identities import IdentityProvider
from towline.models.sessions import Ticket

VALID_FOR: Final = timedelta(minutes=10)
_KIND: Final = "provider_sign_in"
_CONTEXT: Final = "provider sign-in"
_HINT: Final = "Begin at the sign-in page again, in the same browser, with cookies allowed."
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
        "until": int((utc_now() + VALID_FOR).timestamp()),
    }
    async with platform.database.transaction() as work:
        provider = await _get_enabled(work, name)
    state = _encode(platform.secrets.seal(orjson.dumps(content), context=_CONTEXT))
    attempt = Attempt.of_browser(departure.secret, state=state)
    return await PROVIDERS[provider.kind].authorization_url(client_of(platform, provider), attempt)


async def arrive(platform: Platform, name: str, answer: Mapping[str, str], *, secret: str) -> Arrival:
    """Who a browser with this secret came back as.

    SignInRefused when it did not begin this, or the provider's answer is not for it; each answer counts once.
    """
    state = answer.get("state", "")
    content = _open_state(platform, state, name, secret=secret)
    async with platform.database.transaction() as work:
        provider = await _get_enabled(work, name)
        await _use(work, state, until=datetime.fromtimestamp(content["until"], UTC))
    attempt = Attempt.of_browser(secret, state=state)
    profile = await PROVIDERS[provider.kind].fetch_profile(client_of(platform, provider), attempt, answer)
    return Arrival(provider, profile, content["user"], content["next"])


def safe_path(path: str) -> str:
    """A path of Towline's own pages to go on to; empty for anything else."""
    return path if len(path) <= _LONGEST_NEXT and _NEXT.fullmatch(path) else ""


def _open_state(platform: Platform, state: str, name: str, *, secret: str) -> dict[str, Any]:
    """What Towline sealed into a state, if it is still good, for this provider, and of the browser with this secret."""
    try:
        content = orjson.loads(platform.secrets.open(_decode(state), context=_CONTEXT))
    except (KeyMismatch, ValueError) as error:
        raise SignInRefused("This sign-in was not begun here.", hint=_HINT) from error
    if content["until"] < utc_now().timestamp():
        raise SignInRefused("This sign-in took too long.", hint=_HINT)
    is_same_browser = compare_digest(content["browser"], hash_token(secret))
    if not secret or not is_same_browser or content["provider"] != name:
        raise SignInRefused("This sign-in was not begun in this browser.", hint=_HINT)
    return cast("dict[str, Any]", content)


async def _use(work: Work, state: str, *, until: datetime) -> None:
    """Remember that a state was used, until it is worthless anyway; SignInRefused the second time."""
    values: dict[str, Any] = {
        "token_hash": hash_token(_encode(_decode(state))),
        "kind": _KIND,
        "content": {},
        "created_at": utc_now(),
        "expires_at": until,
        "used_at": utc_now(),
        "tries": 0,
    }
    statement = insert(Ticket).values(values).on_conflict_do_nothing().returning(Ticket.token_hash)
    if await work.session.scalar(statement) is None:
        raise SignInRefused("This sign-in was finished already.", hint=_HINT)


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def _get_enabled(work: Work, name: str) -> IdentityProvider:
    provider = await get_provider(work.session, name)
    if not provider.is_enabled or provider.name != name:
        raise NotFound(f"There is no identity provider {name!r}.", hint="Choose another way at the sign-in page.")
    return provider
