"""Signing in: where every way of it ends, in a session or in the question for a second factor."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.platform import Platform
from towline.actions.second_factors.factors import list_factors
from towline.actions.sessions import NewSession, open_session
from towline.actions.tickets import issue_ticket
from towline.errors import Unauthenticated
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.sessions import Session

SECOND_FACTOR: Final = "second_factor"
"""Kind of the ticket that waits for a second factor; its content holds the `method` of the first."""

_SECOND_FACTOR_WITHIN: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Someone is signed in: the session, its value (which is not kept) and the user."""

    session: Session
    value: str
    user: User


@dataclass(frozen=True, slots=True)
class SecondFactorNeeded:
    """Someone has proved the first factor; the ticket is used up by proving one of the others."""

    ticket: str
    factors: frozenset[str]


async def complete_first_factor(
    platform: Platform, work: Work, user: User, *, method: str, device: str, address: str
) -> SignedIn | SecondFactorNeeded:
    """The end of every first step (password, provider, …): a session, or a ticket when the user has second factors.

    Unauthenticated when the user is disabled. A passkey that verified its user is both factors: `sign_in_user`.
    """
    factors = await list_factors(work.session, user.id)
    if not factors:
        return await sign_in_user(platform, work, user, method=method, device=device, address=address)
    check_enabled(user)
    content = {"method": method}
    ticket = await issue_ticket(work, SECOND_FACTOR, user_id=user.id, content=content, valid_for=_SECOND_FACTOR_WITHIN)
    return SecondFactorNeeded(ticket, factors)


async def sign_in_user(
    platform: Platform, work: Work, user: User, *, method: str, device: str, address: str
) -> SignedIn:
    """A new session of someone who has proved everything that is asked for; noted in the audit log."""
    check_enabled(user)
    opened: NewSession = await open_session(
        platform, work, user_id=user.id, method=method, device=device, address=address
    )
    caller = Caller(user.id, user.is_administrator, session_id=opened.session.id, address=address, email=user.email)
    record(work, caller, "sessions.create", object_id=opened.session.id, detail={"method": method, "device": device})
    return SignedIn(opened.session, opened.value, user)


def check_enabled(user: User) -> None:
    """Return when the user may act at all; Unauthenticated otherwise."""
    if user.disabled_at is not None:
        raise Unauthenticated("This user is disabled.", hint="Ask an administrator.")
