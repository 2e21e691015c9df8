"""Sessions: opened when a person has proved who they are, found by their hash, ended at once everywhere."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.credentials import SESSION_PREFIX, announce_ending
from towline.actions.platform import Platform
from towline.errors import NotFound
from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.base import utc_now
from towline.models.sessions import Session
from towline.names import new_id

PROVIDER_METHOD: Final = "provider:"
"""What the method of a sign-in by way of a provider begins with, before the provider's name."""

_BYTES: Final = 32
_LONGEST_DEVICE: Final = 200
_MOST_SESSIONS: Final = 100
_KEPT: Final = timedelta(days=30)
_UNDER_WAY: Final = timedelta(seconds=10)
"""How long a value still holds after a request by cookie has changed it: for requests that were sent before."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just opened or rotated, with its value, which is not kept."""

    session: Session
    value: str


async def open_session(
    platform: Platform, work: Work, *, user_id: str, method: str, device: str, address: str
) -> NewSession:
    """A new session of a user who has just proved who they are."""
    value, now = _make_value(), utc_now()
    session = Session(
        id=new_id("ses"),
        created_at=now,
        user_id=user_id,
        token_hash=hash_token(value),
        method=method,
        device=device[:_LONGEST_DEVICE],
        address=address,
        last_used_at=now,
        expires_at=now + platform.settings.session_lifetime,
        authenticated_at=now,
    )
    work.session.add(session)
    await work.session.flush()
    await _end_surplus(work, user_id)
    return NewSession(session, value)


async def rotate_session(work: Work, session_id: str, *, is_proof: bool = False) -> NewSession:
    """The same session with another value; the one before ends with this transaction. NotFound when it has ended.

    For every change of what its user may do. `is_proof`: the person has just proved again who they are.
    """
    session = await _get_locked(work, Session.id == session_id)
    value = _make_value()
    session.token_hash = hash_token(value)
    session.is_renewal_due, session.previous_hash, session.previous_until = False, None, None
    if is_proof:
        session.authenticated_at = utc_now()
    await work.session.flush()
    return NewSession(session, value)


async def require_renewal(work: Work, user_id: str) -> None:
    """Let every session of a user get another value at its next request by cookie: what the user may do changes.

    A value that somebody else had seen before must not be worth more than it was.
    """
    mine = update(Session).where(Session.user_id == user_id, Session.revoked_at.is_(None))
    await work.session.execute(mine.values(is_renewal_due=True).execution_options(synchronize_session=False))


async def renew_session(platform: Platform, value: str) -> NewSession | None:
    """The session with this value under another; None where that is not due, or another request has just done it."""
    renewed = _make_value()
    statement = (
        update(Session)
        .where(Session.token_hash == hash_token(value), Session.is_renewal_due, *_open(platform))
        .values(
            token_hash=hash_token(renewed),
            is_renewal_due=False,
            previous_hash=Session.token_hash,
            previous_until=utc_now() + _UNDER_WAY,
        )
        .returning(Session)
    )
    async with platform.database.transaction() as work:
        session = (await work.session.scalars(statement)).one_or_none()
    return None if session is None else NewSession(session, renewed)


async def list_sessions(
    platform: Platform, session: AsyncSession, *, user_id: str, limit: int, after: tuple[datetime, str] | None = None
) -> Sequence[Session]:
    """A user's sessions that have not ended, newest first."""
    query = select(Session).where(Session.user_id == user_id, *_open(platform))
    if after is not None:
        query = query.where(tuple_(Session.created_at, Session.id) < after)
    return (await session.scalars(query.order_by(Session.created_at.desc(), Session.id.desc()).limit(limit))).all()


async def end_session(platform: Platform, work: Work, *, user_id: str, session_id: str) -> Session:
    """End one session of a user, at once; NotFound when it is another's or has ended."""
    session = await _get_locked(work, (Session.id == session_id) & (Session.user_id == user_id))
    session.revoked_at = utc_now()
    announce_ending(platform, work)
    return session


async def end_session_of_value(platform: Platform, work: Work, value: str, *, address: str) -> None:
    """End the session with this value, if there is one; noted in the audit log."""
    token_hash = hash_token(value)
    is_it = or_(Session.token_hash == token_hash, Session.previous_hash == token_hash)
    query = update(Session).where(is_it, Session.revoked_at.is_(None))
    query = query.values(revoked_at=utc_now()).returning(Session.id, Session.user_id)
    ended = (await work.session.execute(query.execution_options(synchronize_session=False))).one_or_none()
    if ended is not None:
        caller = Caller(ended.user_id, session_id=ended.id, address=address)
        record(work, caller, "sessions.end", object_id=ended.id)
        announce_ending(platform, work)


async def end_sessions(platform: Platform, work: Work, *, user_id: str, except_id: str = "") -> int:
    """End all sessions of a user (but one), at once; how many there were."""
    ended = await work.session.scalars(
        update(Session)
        .where(Session.user_id == user_id, Session.id != except_id, Session.revoked_at.is_(None))
        .values(revoked_at=utc_now())
        .returning(Session.id)
        .execution_options(synchronize_session=False)
    )
    announce_ending(platform, work)
    return len(ended.all())


async def end_provider_sessions(
    platform: Platform, work: Work, provider: str, *, user_id: str | None = None, except_id: str = ""
) -> None:
    """End the sessions that were opened by way of a provider (by name), of one user or (None) of everybody."""
    method = f"{PROVIDER_METHOD}{provider}"
    is_by_it = or_(Session.method == method, Session.method.startswith(f"{method}+", autoescape=True))
    query = update(Session).where(is_by_it, Session.id != except_id, Session.revoked_at.is_(None))
    if user_id is not None:
        query = query.where(Session.user_id == user_id)
    await work.session.execute(query.values(revoked_at=utc_now()).execution_options(synchronize_session=False))
    announce_ending(platform, work)


async def forget_old_sessions(work: Work, *, now: datetime) -> None:
    """Delete sessions that ended long ago; until then they tell from where their user signs in."""
    is_ended = (Session.expires_at < now) | (Session.revoked_at < now - _KEPT)
    await work.session.execute(delete(Session).where(is_ended))


async def _end_surplus(work: Work, user_id: str) -> None:
    """A program that signs in again and again ends its own oldest sessions."""
    mine = select(Session.id).where(Session.user_id == user_id, Session.revoked_at.is_(None))
    surplus = mine.order_by(Session.last_used_at.desc(), Session.id.desc()).offset(_MOST_SESSIONS)
    statement = update(Session).where(Session.id.in_(surplus)).values(revoked_at=utc_now())
    await work.session.execute(statement.execution_options(synchronize_session=False))


def _open(platform: Platform) -> tuple[ColumnElement[bool], ...]:
    now = utc_now()
    is_in_use = Session.last_used_at > now - platform.settings.session_idle
    return (Session.revoked_at.is_(None), Session.expires_at > now, is_in_use)


async def _get_locked(work: Work, condition: ColumnElement[bool]) -> Session:
    query = select(Session).where(condition, Session.revoked_at.is_(None), Session.expires_at > utc_now())
    locked = query.with_for_update().execution_options(populate_existing=True)
    session = (await work.session.scalars(locked)).one_or_none()
    if session is None:
        raise NotFound("You have no such session, or it has ended.", hint="List yours with `towline account sessions`.")
    return session


def _make_value() -> str:
    return SESSION_PREFIX + secrets.token_urlsafe(_BYTES)
