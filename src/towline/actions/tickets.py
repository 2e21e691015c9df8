"""Tickets: values that can be used once, such as a second factor that is waited for or a password reset."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, update

from towline.errors import NotFound
from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.base import utc_now
from towline.models.sessions import Ticket

_KEPT: Final = timedelta(days=1)
_BYTES: Final = 32


async def issue_ticket(
    work: Work, kind: str, *, user_id: str = "", content: Mapping[str, Any] | None = None, valid_for: timedelta
) -> str:
    """The value of a new ticket (256 bits), which is not kept; `content` must hold no secret in clear."""
    value = secrets.token_urlsafe(_BYTES)
    now = utc_now()
    ticket = Ticket(
        token_hash=hash_token(value),
        kind=kind,
        user_id=user_id or None,
        content=dict(content or {}),
        created_at=now,
        expires_at=now + valid_for,
        tries=0,
    )
    work.session.add(ticket)
    await work.session.flush()
    return value


async def use_ticket(work: Work, kind: str, value: str) -> Ticket:
    """The ticket, used up in this transaction and locked until its end; NotFound when it is not valid any more."""
    ticket = await _get_locked(work, kind, value)
    ticket.used_at = utc_now()
    await work.session.flush()
    return ticket


async def try_ticket(work: Work, kind: str, value: str, *, most_tries: int) -> Ticket:
    """The ticket without using it up, one try counted; NotFound when it is not valid or was tried `most_tries` times.

    Commit this work before the code is compared, or raise the refusal after it: a try that is rolled back was free.
    """
    ticket = await _get_locked(work, kind, value)
    if ticket.tries >= most_tries:
        raise _gone()
    ticket.tries += 1
    await work.session.flush()
    return ticket


async def withdraw_tickets(work: Work, kind: str, *, user_id: str) -> None:
    """Make every unused ticket of a kind that a user has worthless."""
    await work.session.execute(
        update(Ticket)
        .where(Ticket.kind == kind, Ticket.user_id == user_id, Ticket.used_at.is_(None))
        .values(used_at=utc_now())
        .execution_options(synchronize_session=False)
    )


async def withdraw_user_tickets(work: Work, *, user_id: str) -> None:
    """Make every unused ticket of a user worthless, of whatever kind."""
    await work.session.execute(
        update(Ticket)
        .where(Ticket.user_id == user_id, Ticket.used_at.is_(None))
        .values(used_at=utc_now())
        .execution_options(synchronize_session=False)
    )


async def forget_old_tickets(work: Work, *, now: datetime) -> None:
    """Delete tickets that ended more than a day ago."""
    await work.session.execute(delete(Ticket).where(Ticket.expires_at < now - _KEPT))


async def _get_locked(work: Work, kind: str, value: str) -> Ticket:
    query = select(Ticket).where(Ticket.token_hash == hash_token(value), Ticket.kind == kind)
    still_valid = query.where(Ticket.used_at.is_(None), Ticket.expires_at > utc_now())
    locked = still_valid.with_for_update().execution_options(populate_existing=True)
    ticket = (await work.session.scalars(locked)).one_or_none()
    if ticket is None:
        raise _gone()
    return ticket


def _gone() -> NotFound:
    return NotFound("This was used already, is too old, or was tried too often.", hint="Begin again.")
