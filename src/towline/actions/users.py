"""Users of the instance: made, disabled, made administrators; there is always an administrator who can act."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.events import emit
from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.actions.sessions import end_sessions, require_renewal
from towline.actions.tickets import issue_ticket, withdraw_tickets, withdraw_user_tickets
from towline.errors import Conflict, NotFound
from towline.infra.database import Work
from towline.models.accounts import ApiKey, User
from towline.models.base import utc_now
from towline.names import new_id

RESET_TICKET: Final = "password-reset"
LINK_VALID_FOR: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PasswordLink:
    """A one-time link by which a user chooses a password."""

    link: str
    expires_at: datetime


async def list_users(
    session: AsyncSession, *, email: str | None, after: tuple[str, str] | None, limit: int
) -> Sequence[User]:
    """Users by address, behind a position (address and id); `email` leaves the one with it."""
    query = select(User).order_by(User.email, User.id).limit(limit)
    if email is not None:
        query = query.where(User.email == email)
    if after is not None:
        query = query.where(tuple_(User.email, User.id) > after)
    return (await session.scalars(query)).all()


async def get_user(session: AsyncSession, user_id: str) -> User:
    """A user by id, or NotFound."""
    user = (await session.scalars(select(User).where(User.id == user_id))).one_or_none()
    if user is None:
        raise NotFound(f"There is no user {user_id!r}.", hint="List them with `towline users`.")
    return user


async def find_user(session: AsyncSession, email: str) -> User | None:
    """A user by address, however it is written."""
    return (await session.scalars(select(User).where(User.email == email.lower()))).one_or_none()


async def create_user(
    work: Work, *, email: str, name: str = "", is_administrator: bool = False, password_hash: str = ""
) -> User:
    """A new user; Conflict when the address has an account."""
    if await find_user(work.session, email) is not None:
        raise Conflict(f"{email} has an account already.", hint="Use another address, or sign in with this one.")
    now = utc_now()
    user = User(id=new_id("usr"), created_at=now, email=email.lower(), name=name, is_administrator=is_administrator)
    if password_hash:
        user.password_hash, user.password_changed_at = password_hash, now
    work.session.add(user)
    await work.session.flush()
    return user


async def make_password_link(
    platform: Platform, work: Work, user: User, *, valid_for: timedelta = LINK_VALID_FOR
) -> PasswordLink:
    """A fresh link by which a user chooses a password; those made before stop working."""
    await withdraw_tickets(work, RESET_TICKET, user_id=user.id)
    token = await issue_ticket(work, RESET_TICKET, user_id=user.id, valid_for=valid_for)
    return PasswordLink(f"{platform_url(platform)}/password-reset/{token}", utc_now() + valid_for)


async def set_administrator(
    platform: Platform, work: Work, user: User, *, is_administrator: bool, keep_session_id: str = ""
) -> None:
    """Make a user an instance administrator or not, and end their sessions but one, which gets another value.

    A session that somebody else got hold of must not grow with the user's rights. Conflict for the last administrator.
    """
    if user.is_administrator == is_administrator:
        return
    if not is_administrator:
        await _check_not_last(work, user)
    user.is_administrator = is_administrator
    await end_sessions(platform, work, user_id=user.id, except_id=keep_session_id)
    await require_renewal(work, user.id)
    emit(platform, work, "user.updated", user_id=user.id)


async def disable_user(platform: Platform, work: Work, user: User) -> None:
    """End a user's sessions, keys and links at once, for good, and let it not sign in; Conflict for the last
    administrator."""
    if user.disabled_at is not None:
        return
    await _check_not_last(work, user)
    user.disabled_at = utc_now()
    await end_sessions(platform, work, user_id=user.id)
    await withdraw_user_tickets(work, user_id=user.id)
    await work.session.execute(
        update(ApiKey)
        .where(ApiKey.user_id == user.id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=utc_now())
        .execution_options(synchronize_session=False)
    )
    emit(platform, work, "user.disabled", user_id=user.id)


async def enable_user(platform: Platform, work: Work, user: User) -> None:
    """Let a disabled user sign in again; its keys stay revoked."""
    if user.disabled_at is not None:
        user.disabled_at = None
        emit(platform, work, "user.enabled", user_id=user.id)


async def _check_not_last(work: Work, user: User) -> None:
    """Conflict when no other administrator can act; whoever else asks the same now waits."""
    query = select(User.id).where(User.is_administrator, User.disabled_at.is_(None)).order_by(User.id)
    acting = (await work.session.scalars(query.with_for_update())).all()
    if list(acting) == [user.id]:
        raise Conflict(
            f"{user.email} is the last administrator who can act.",
            hint="Make somebody else an administrator first: `towline users administrator EMAIL`.",
        )
