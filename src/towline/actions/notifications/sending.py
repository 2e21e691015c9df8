"""Sending notifications: what is due, a few at a time, tried again for some hours, with what became of each."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select, update

from towline.actions.events import emit
from towline.actions.installation import platform_url
from towline.actions.mail import get_server, sender
from towline.actions.notifications.channels import BELL, address_context, secret_context
from towline.actions.notifications.taking import take_events
from towline.actions.platform import Platform
from towline.errors import MailNotSent, MessageNotSent, TowlineError
from towline.infra.mail import make_message, send_mail
from towline.infra.messages import OutgoingMessage, send_message
from towline.models.base import utc_now
from towline.models.notifications import Notification, NotificationChannel

_AT_ONCE: Final = 2
_CLAIMED: Final = 10
_LOOK_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 5.0
_LEASE: Final = timedelta(minutes=10)
_RETRIES: Final = (30, 120, 600, 1800, 3600, 7200)
_log = logging.getLogger(__name__)


async def notify(platform: Platform) -> None:
    """Tell channels of what happens, at once when it rings and now and then besides; runs until cancelled."""
    while True:
        try:
            async with platform.bell.listen() as ringing:
                while True:
                    await notify_once(platform)
                    await ringing.wait_for(BELL, timeout=_LOOK_SECONDS)
        except TowlineError as error:
            _log.warning("Notifications wait: %s", error)
        await asyncio.sleep(_RETRY_SECONDS)


async def notify_once(platform: Platform) -> None:
    """Look at every new event, and send everything that is due now."""
    while await take_events(platform):
        pass
    while await send_due(platform):
        pass


async def send_due(platform: Platform) -> int:
    """Send notifications that are due, those of one channel in their order; how many were tried."""
    claimed = await _claim(platform)
    places = asyncio.Semaphore(_AT_ONCE)
    by_channel: dict[str, list[tuple[Notification, NotificationChannel]]] = {}
    for notification, channel in claimed:
        by_channel.setdefault(channel.id, []).append((notification, channel))

    async def tell(messages: Sequence[tuple[Notification, NotificationChannel]]) -> None:
        async with places:
            for notification, channel in messages:
                await _send(platform, notification, channel)

    await asyncio.gather(*(tell(messages) for messages in by_channel.values()))
    return len(claimed)


async def _claim(platform: Platform) -> Sequence[tuple[Notification, NotificationChannel]]:
    """Due ones, an attempt counted and put off, so that a process that dies now sends none twice at once."""
    now = utc_now()
    query = (
        select(Notification, NotificationChannel)
        .join(NotificationChannel, NotificationChannel.id == Notification.channel_id)
        .where(Notification.status == "queued", Notification.not_before <= now)
        .order_by(Notification.not_before, Notification.id)
        .limit(_CLAIMED)
        .with_for_update(skip_locked=True, of=Notification)
    )
    async with platform.database.transaction() as work:
        claimed = [(notification, channel) for notification, channel in await work.session.execute(query)]
        for notification, _ in claimed:
            notification.attempts += 1
            notification.not_before = now + _LEASE
    return claimed


async def _send(platform: Platform, notification: Notification, channel: NotificationChannel) -> None:
    try:
        if channel.kind == "email":
            await _mail(platform, notification, channel)
        else:
            await send_message(_outgoing(platform, notification, channel))
    except (MailNotSent, MessageNotSent) as error:
        return await _failed(platform, notification, channel, error.message, is_final=not error.retryable)
    except (TowlineError, ValueError) as error:
        return await _failed(platform, notification, channel, str(error), is_final=True)
    return await _end(platform, notification, channel, status="sent", reason="", sent_at=utc_now())


async def _mail(platform: Platform, notification: Notification, channel: NotificationChannel) -> None:
    message = make_message(
        sender=sender(platform),
        recipient=platform.secrets.open_text(channel.address, context=address_context(channel)),
        subject=_one_line(notification.title),
        text=f"{_text(platform, notification)}\n",
    )
    await send_mail(get_server(platform), message)


def _outgoing(platform: Platform, notification: Notification, channel: NotificationChannel) -> OutgoingMessage:
    secrets = platform.secrets
    secret = "" if channel.secret is None else secrets.open_text(channel.secret, context=secret_context(channel))
    facts = {
        "id": notification.id,
        "kind": notification.kind,
        "title": notification.title,
        "text": notification.text,
        "url": platform_url(platform) + notification.path,
        "at": notification.created_at.isoformat(),
    }
    return OutgoingMessage(
        address=secrets.open_text(channel.address, context=address_context(channel)),
        title=_one_line(notification.title),
        text=_text(platform, notification),
        secret=secret,
        payload=facts if secret else None,
        allows_local=channel.allows_local,
        closed_networks=tuple(filter(None, (platform.settings.network_pool, platform.settings.internal_address))),
    )


async def _failed(
    platform: Platform, notification: Notification, channel: NotificationChannel, reason: str, *, is_final: bool
) -> None:
    _log.warning("The notification %s was not sent: %s", notification.id, reason)
    if is_final or notification.attempts > len(_RETRIES):
        return await _end(platform, notification, channel, status="failed", reason=reason)
    wait = timedelta(seconds=_RETRIES[notification.attempts - 1])
    return await _end(platform, notification, channel, not_before=utc_now() + wait, reason=reason)


async def _end(platform: Platform, notification: Notification, channel: NotificationChannel, **values: object) -> None:
    this = (Notification.id == notification.id) & (Notification.attempts == notification.attempts)
    async with platform.database.transaction() as work:
        await work.session.execute(update(Notification).where(this).values(**values))
        emit(platform, work, "notification.tried", project_id=channel.project_id or "")


def _text(platform: Platform, notification: Notification) -> str:
    link = platform_url(platform) + notification.path if notification.path else ""
    return "\n\n".join(part for part in (notification.text, link) if part) or notification.title


def _one_line(text: str) -> str:
    return " ".join(text.split())
