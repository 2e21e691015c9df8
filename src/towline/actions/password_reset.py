"""Password reset by mail: asked for by anyone, answered alike for every address, looked into later by a worker."""

from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import ANONYMOUS, Caller
from towline.actions.account import make_password_hash, store_password
from towline.actions.audit import record
from towline.actions.installation import platform_url
from towline.actions.limits import network_of
from towline.actions.mail import BELL, queue_mail, reset_text, sends_mail
from towline.actions.platform import Platform
from towline.actions.tickets import issue_ticket, use_ticket
from towline.actions.users import RESET_TICKET, find_user
from towline.errors import Conflict, NotFound
from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.members import ResetRequest
from towline.models.sessions import Ticket
from towline.names import new_id

_VALID_FOR: Final = timedelta(hours=1)
_WITHIN: Final = timedelta(hours=1)
_OF_ACCOUNT: Final = 3
_OF_ADDRESS: Final = 20
_OF_ALL: Final = 1000
_AT_ONCE: Final = 50


async def ask_for_reset(platform: Platform, *, email: str, address: str) -> None:
    """Note the wish; one too many of an account or address is dropped without a word.

    Nothing here looks at accounts, so neither answer nor time tells of them. Conflict without a mail server.
    """
    if not sends_mail(platform):
        raise Conflict(
            "This instance sends no mail.",
            hint="Ask an administrator for a link: `towline users reset-password EMAIL`.",
        )
    network = network_of(address)
    async with platform.database.transaction() as work:
        if await _is_within_limits(work.session, email=email, network=network):
            work.session.add(ResetRequest(id=new_id("rst"), created_at=utc_now(), email=email, address=network))
            _record(work, "passwordReset.ask", address, email=email)
            work.after_commit(lambda: platform.bell.ring(BELL))


async def answer_reset_requests(platform: Platform) -> int:
    """Queue mails to those who have an account that they can use; how many wishes were looked at."""
    now = utc_now()
    query = select(ResetRequest).where(ResetRequest.done_at.is_(None)).order_by(ResetRequest.created_at).limit(_AT_ONCE)
    async with platform.database.transaction() as work:
        wishes = (await work.session.scalars(query.with_for_update(skip_locked=True))).all()
        for wish in wishes:
            wish.done_at = now
            user = await find_user(work.session, wish.email)
            if user is not None and user.disabled_at is None and now - wish.created_at < _VALID_FOR:
                await _mail_link(platform, work, user)
    return len(wishes)


async def find_reset_user(session: AsyncSession, token: str) -> User | None:
    """Whose password a link would change now."""
    query = (
        select(User)
        .join(Ticket, Ticket.user_id == User.id)
        .where(Ticket.token_hash == hash_token(token), Ticket.kind == RESET_TICKET)
        .where(Ticket.used_at.is_(None), Ticket.expires_at > utc_now(), User.disabled_at.is_(None))
    )
    return (await session.scalars(query)).one_or_none()


async def finish_reset(platform: Platform, *, token: str, password: str, address: str) -> User:
    """Change the password of a link's user, end all sessions and use up every such link.

    NotFound for a link that was used or is too old, InvalidInput for a weak password, which leaves the link usable.
    """
    async with platform.database.transaction() as work:
        user = await find_reset_user(work.session, token)
    if user is None:
        raise _gone()
    # Only for who has a link: hashing costs much, and holds no connection meanwhile.
    password_hash = await make_password_hash(platform, password, words=(user.email, user.name), field="password")
    async with platform.database.transaction() as work:
        ticket = await use_ticket(work, RESET_TICKET, token)
        user = await work.session.get(User, ticket.user_id, with_for_update=True)
        if user is None or user.disabled_at is not None:
            raise _gone()
        await store_password(platform, work, user, password_hash)
        _record(work, "passwordReset.finish", address, object_id=user.id, email=user.email)
    return user


async def forget_old_requests(work: Work) -> None:
    """Delete wishes that limits do not look at any more."""
    await work.session.execute(delete(ResetRequest).where(ResetRequest.created_at < utc_now() - 2 * _WITHIN))


async def _mail_link(platform: Platform, work: Work, user: User) -> None:
    token = await issue_ticket(work, RESET_TICKET, user_id=user.id, valid_for=_VALID_FOR)
    expires_at = utc_now() + _VALID_FOR
    link = f"{platform_url(platform)}/password-reset/{token}"
    queue_mail(
        platform,
        work,
        recipient=user.email,
        subject="New password for Towline",
        text=reset_text(platform, link=link, expires_at=expires_at),
        expires_at=expires_at,
    )


async def _is_within_limits(session: AsyncSession, *, email: str, network: str) -> bool:
    recent = ResetRequest.created_at > utc_now() - _WITHIN
    counts = (
        (await _count(session, recent, ResetRequest.email == email), _OF_ACCOUNT),
        (await _count(session, recent, ResetRequest.address == network), _OF_ADDRESS),
        (await _count(session, recent), _OF_ALL),
    )
    return all(count < most for count, most in counts)


def _record(work: Work, action: str, address: str, *, object_id: str = "", email: str) -> None:
    caller = Caller(user_id=ANONYMOUS.user_id, address=address)
    record(work, caller, action, object_id=object_id, detail={"email": email})


def _gone() -> NotFound:
    return NotFound("This link was used already, or is too old.", hint="Ask for a new one.")


async def _count(session: AsyncSession, *conditions: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count()).select_from(ResetRequest).where(*conditions)) or 0
