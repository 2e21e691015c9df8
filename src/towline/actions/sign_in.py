"""Signing in: where every way of it ends, in a session or in the question for a second factor."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, exists, select, update

from towline.actions.access import ANONYMOUS, Caller
from towline.actions.audit import record
from towline.actions.limits import Visit, count_try, forgive
from towline.actions.platform import Platform
from towline.actions.second_factors.factors import list_factors
from towline.actions.sessions import open_session
from towline.actions.tickets import issue_ticket
from towline.errors import Unauthenticated
from towline.infra.database import Work
from towline.infra.reads import Read
from towline.models.accounts import User
from towline.models.sessions import Session

SECOND_FACTOR: Final = "second_factor"
"""Kind of the ticket that waits for a second factor; its content holds the `method` of the first."""

_SECOND_FACTOR_WITHIN: Final = timedelta(minutes=10)
_WRONG_HINT: Final = "Check both; a new password is to be had at /password-reset, or from an administrator."


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


async def sign_in(platform: Platform, email: str, password: str, *, visit: Visit) -> SignedIn | SecondFactorNeeded:
    """Sign in by password; Unauthenticated when address or password is wrong, TooManyTries after too many tries.

    Neither the answer nor the time it takes tells whether the address has an account.
    """
    email = email.strip().lower()
    rows = await _USER.fetch(platform.database, email=email, address=visit.address)
    user_id, password_hash, is_known = ("", "", False) if not rows else rows[0].values()
    attempt = await count_try(platform, visit, email=email, user_id=user_id, is_known_address=is_known)
    if not await platform.passwords.verify(password_hash, password):
        await _note_failure(platform, user_id, visit)
        raise Unauthenticated("The e-mail address or the password is wrong.", hint=_WRONG_HINT)
    newer_hash = await platform.passwords.hash(password) if platform.passwords.is_outdated(password_hash) else ""
    async with platform.database.transaction() as work:
        user = await work.session.get_one(User, user_id)
        if newer_hash:
            await _renew_hash(work, user_id, was=password_hash, now=newer_hash)
        outcome = await complete_first_factor(
            platform, work, user, method="password", device=visit.device, address=visit.address
        )
    await forgive(platform, attempt)
    return outcome


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
    opened = await open_session(platform, work, user_id=user.id, method=method, device=device, address=address)
    caller = Caller(user.id, user.is_administrator, session_id=opened.session.id, address=address, email=user.email)
    record(work, caller, "sessions.create", object_id=opened.session.id, detail={"method": method, "device": device})
    return SignedIn(opened.session, opened.value, user)


def check_enabled(user: User) -> None:
    """Return when the user may act at all; Unauthenticated otherwise."""
    if user.disabled_at is not None:
        raise Unauthenticated("This user is disabled.", hint="Ask an administrator.")


async def _note_failure(platform: Platform, user_id: str, visit: Visit) -> None:
    """Never what was typed: people type passwords into the wrong field."""
    async with platform.database.transaction() as work:
        caller = replace(ANONYMOUS, address=visit.address)
        detail = {"reason": "wrong password" if user_id else "unknown address", "device": visit.device}
        record(work, caller, "sessions.create", outcome="refused", object_id=user_id, detail=detail)


async def _renew_hash(work: Work, user_id: str, *, was: str, now: str) -> None:
    statement = update(User).where(User.id == user_id, User.password_hash == was).values(password_hash=now)
    await work.session.execute(statement.execution_options(synchronize_session=False))


_USER: Final = Read(
    select(
        User.id,
        User.password_hash,
        exists().where(Session.user_id == User.id, Session.address == bindparam("address")).label("is_known_address"),
    ).where(User.email == bindparam("email"), User.disabled_at.is_(None))
)
