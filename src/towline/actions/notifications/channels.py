"""Channels: where a project, or the whole instance, sends notifications; addresses are sealed."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.notifications.addresses import check_channel_address, shown_address
from towline.actions.platform import Platform
from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.history import Event
from towline.models.notifications import Notification, NotificationChannel
from towline.names import new_id

BELL: Final = "notifications"
_MOST_CHANNELS: Final = 20


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel with the secret that signs its messages, which is shown this once; None where nothing is signed."""

    channel: NotificationChannel
    secret: str | None


@dataclass(frozen=True, slots=True)
class WantedChannel:
    """A channel that is to be."""

    name: str
    kind: str
    address: str
    events: Sequence[str]
    environments: Sequence[str]
    allows_local: bool


def address_context(channel: NotificationChannel) -> str:
    """What a channel's sealed address is bound to."""
    return f"notification-channel:{channel.id}:address"


def secret_context(channel: NotificationChannel) -> str:
    """What a channel's sealed secret is bound to."""
    return f"notification-channel:{channel.id}:secret"


async def create_channel(
    platform: Platform, work: Work, *, project_id: str | None, wanted: WantedChannel
) -> NewChannel:
    """Add a channel, told of what happens from now on; Conflict when its name is taken or there are too many."""
    mine = NotificationChannel.project_id.is_not_distinct_from(project_id)
    rows = (await work.session.scalars(select(NotificationChannel).where(mine).with_for_update())).all()
    _check_name([row.name for row in rows], wanted.name)
    if len(rows) >= _MOST_CHANNELS:
        raise Conflict(f"There can be {_MOST_CHANNELS} channels.")
    channel = NotificationChannel(
        id=new_id("nch"),
        created_at=utc_now(),
        project_id=project_id,
        name=wanted.name,
        kind=wanted.kind,
        events=[*wanted.events],
        environments=[*wanted.environments],
        is_paused=False,
        told_until=await newest_sequence(work),
    )
    set_address(platform, channel, wanted.address, allows_local=wanted.allows_local)
    secret = secrets.token_urlsafe(32) if wanted.kind == "webhook" else None
    if secret is not None:
        channel.secret = platform.secrets.seal(secret, context=secret_context(channel))
    work.session.add(channel)
    await work.session.flush()
    return NewChannel(channel, secret)


def set_address(platform: Platform, channel: NotificationChannel, address: str, *, allows_local: bool) -> None:
    """Give a channel an address; InvalidInput when it does not fit its kind."""
    checked = check_channel_address(channel.kind, address, allows_local=allows_local)
    channel.address = platform.secrets.seal(checked, context=address_context(channel))
    channel.shown, channel.allows_local = shown_address(channel.kind, checked), allows_local


async def rename_channel(work: Work, channel: NotificationChannel, name: str) -> None:
    """Give a channel another name; Conflict when it is taken."""
    mine = NotificationChannel.project_id.is_not_distinct_from(channel.project_id)
    others = await work.session.scalars(
        select(NotificationChannel.name).where(mine, NotificationChannel.id != channel.id)
    )
    _check_name(others.all(), name)
    channel.name = name


async def find_channel(session: AsyncSession, channel_id: str) -> NotificationChannel | None:
    """A channel by its id."""
    query = select(NotificationChannel).where(NotificationChannel.id == channel_id)
    return (await session.scalars(query)).one_or_none()


async def list_channels(
    session: AsyncSession, condition: ColumnElement[bool], *, after: tuple[str, str] | None, limit: int
) -> Sequence[NotificationChannel]:
    """Channels that fit the condition, by name, behind a position (name and id)."""
    query = select(NotificationChannel).where(condition)
    if after is not None:
        query = query.where(tuple_(NotificationChannel.name, NotificationChannel.id) > after)
    by_name = query.order_by(NotificationChannel.name, NotificationChannel.id).limit(limit)
    return (await session.scalars(by_name)).all()


async def list_notifications(
    session: AsyncSession, channel: NotificationChannel, *, limit: int, after: tuple[object, str] | None
) -> Sequence[Notification]:
    """What a channel was told, newest first, behind a position (time and id)."""
    query = select(Notification).where(Notification.channel_id == channel.id)
    if after is not None:
        query = query.where(tuple_(Notification.created_at, Notification.id) < after)
    newest = query.order_by(Notification.created_at.desc(), Notification.id.desc()).limit(limit)
    return (await session.scalars(newest)).all()


async def queue_test(platform: Platform, work: Work, channel: NotificationChannel, *, asked_by: str) -> Notification:
    """Send a message that only says it arrived."""
    notification = Notification(
        id=new_id("not"),
        created_at=utc_now(),
        channel_id=channel.id,
        kind="test",
        title="Test message from Towline",
        text=f"{asked_by} asked for it. It arrived, so the channel works.",
        subject="",
        path="",
        status="queued",
        reason="",
        attempts=0,
    )
    work.session.add(notification)
    await work.session.flush()
    work.after_commit(lambda: platform.bell.ring(BELL))
    return notification


async def newest_sequence(work: Work) -> int:
    """The sequence of the newest event."""
    return await work.session.scalar(select(func.max(Event.sequence))) or 0


def _check_name(names: Sequence[str], name: str) -> None:
    if name in names:
        raise Conflict(f"There is a channel {name!r} already.", hint="Take another name, or change that one.")
