"""Events: written with the fact they tell of, numbered in commit order by one relay, then published."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import select, text

from towline.actions.platform import Platform
from towline.errors import Unavailable
from towline.infra.database import Work, check_connection
from towline.models.history import Event

CHANNEL = "towline:events"
_RELAY_LOCK = 7_420_002
_BATCH = 500
_LOOK_SECONDS = 2.0
_log = logging.getLogger(__name__)


def emit(
    platform: Platform,
    work: Work,
    type_: str,
    *,
    project_id: str = "",
    service_id: str = "",
    deployment_id: str = "",
    user_id: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add an event to the transaction that makes it true; it is published once that is committed."""
    work.session.add(
        Event(
            type=type_,
            project_id=project_id,
            service_id=service_id,
            deployment_id=deployment_id,
            user_id=user_id,
            data=dict(data or {}),
        )
    )
    work.after_commit(lambda: platform.bell.ring("events"))


def event_payload(event: Event) -> dict[str, Any]:
    """An event in the founding document's shape, with its sequence number and time."""
    return {
        "sequence": event.sequence,
        "type": event.type,
        "projectId": event.project_id,
        "serviceId": event.service_id,
        "deploymentId": event.deployment_id,
        "userId": event.user_id,
        "at": event.created_at.isoformat(),
        "data": event.data,
    }


async def relay_events(platform: Platform) -> None:
    """Number and publish events for as long as this process holds the relay's lock; runs until cancelled."""
    while True:
        try:
            await _relay_while_locked(platform)
        except Unavailable as error:
            _log.warning("The event relay waits: %s", error)
        await asyncio.sleep(2)


async def relay_once(platform: Platform) -> int:
    """Number and publish what is committed and not numbered yet; return how many events that were."""
    async with platform.database.transaction() as work:
        query = select(Event).where(Event.sequence.is_(None)).order_by(Event.id).limit(_BATCH).with_for_update()
        events: Sequence[Event] = (await work.session.scalars(query)).all()
        if events:
            numbers = await work.session.scalars(
                text("SELECT nextval('event_numbers') FROM generate_series(1, :count)"), {"count": len(events)}
            )
            for event, number in zip(events, numbers, strict=True):
                event.sequence = number
    if events:
        await platform.streams.publish_many(CHANNEL, [orjson.dumps(event_payload(event)) for event in events])
    return len(events)


async def list_events(platform: Platform, *, after: int, limit: int = 500) -> Sequence[Event]:
    """Published events behind a sequence number, oldest first."""
    async with platform.database.transaction() as work:
        query = select(Event).where(Event.sequence > after).order_by(Event.sequence).limit(limit)
        return (await work.session.scalars(query)).all()


async def _relay_while_locked(platform: Platform) -> None:
    async with platform.database.advisory_lock(_RELAY_LOCK) as connection, platform.bell.listen() as ringing:
        while connection is not None:
            if await relay_once(platform) < _BATCH:
                await ringing.wait_for("events", timeout=_LOOK_SECONDS)
            await check_connection(connection)
