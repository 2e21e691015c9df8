"""From events to notifications: every channel looks at each event once, in order, and keeps what it is told of."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from towline.actions.notifications.channels import BELL, newest_sequence
from towline.actions.notifications.wording import TOLD_TYPES, Happening, Wording, wording_of
from towline.actions.platform import Platform
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.history import Event
from towline.models.notifications import Notification, NotificationChannel
from towline.models.projects import Environment, Project
from towline.models.services import Service
from towline.names import new_id

_AT_ONCE: Final = 200
_HEALTH: Final = ("health.down", "health.recovered")


async def take_events(platform: Platform) -> int:
    """Turn published events that channels have not looked at into notifications; return how many events that were."""
    async with platform.database.transaction() as work:
        query = select(NotificationChannel).order_by(NotificationChannel.id).with_for_update()
        channels = (await work.session.scalars(query)).all()
        if not channels:
            return 0
        newest = await newest_sequence(work)
        first = min(channel.told_until for channel in channels)
        events = await _next_events(work, after=first)
        for event in events:
            await _tell_all(platform, work, channels, event)
        # Events of no interest are stepped over, but only where none of interest is left before them.
        looked_at = newest if len(events) < _AT_ONCE else events[-1].sequence or first
        for channel in channels:
            channel.told_until = max(channel.told_until, looked_at)
    return len(events)


async def _next_events(work: Work, *, after: int) -> Sequence[Event]:
    query = select(Event).where(Event.sequence > after, Event.type.in_(TOLD_TYPES))
    return (await work.session.scalars(query.order_by(Event.sequence).limit(_AT_ONCE))).all()


async def _tell_all(platform: Platform, work: Work, channels: Sequence[NotificationChannel], event: Event) -> None:
    happening = await _happening(work, event)
    wording = None if happening is None else wording_of(happening)
    if happening is None or wording is None:
        return
    for channel in channels:
        is_new = (event.sequence or 0) > channel.told_until
        if is_new and _is_wanted(channel, event, happening, wording) and await _is_news(work, channel, wording):
            await _add(work, channel, event, wording)
            work.after_commit(lambda: platform.bell.ring(BELL))


def _is_wanted(channel: NotificationChannel, event: Event, happening: Happening, wording: Wording) -> bool:
    is_its_own = channel.project_id is None or channel.project_id == event.project_id
    kind = happening.environment_kind
    is_there = not kind or kind in channel.environments or wording.kind == "preview.waiting"
    # Recovery is looked at where being down is told of, so that each is told once.
    return not channel.is_paused and is_its_own and is_there and wording.kind in channel.events


async def _is_news(work: Work, channel: NotificationChannel, wording: Wording) -> bool:
    """Whether it was not told before: down once, and up again only after down, whatever comes in between."""
    if wording.kind not in _HEALTH or not set(_HEALTH) <= set(channel.events):
        return True
    query = select(Notification.kind).where(
        Notification.channel_id == channel.id, Notification.subject == wording.subject
    )
    last = await work.session.scalar(query.order_by(Notification.event_sequence.desc()).limit(1))
    return (last or "health.recovered") != wording.kind


async def _add(work: Work, channel: NotificationChannel, event: Event, wording: Wording) -> None:
    values = {
        "id": new_id("not"),
        "created_at": utc_now(),
        "channel_id": channel.id,
        "event_sequence": event.sequence,
        "kind": wording.kind,
        "subject": wording.subject,
        "title": wording.title[:200],
        "text": wording.text,
        "path": wording.path,
    }
    await work.session.execute(insert(Notification).values(**values).on_conflict_do_nothing())


async def _happening(work: Work, event: Event) -> Happening | None:
    """The event with its names; None when what it is about is gone."""
    project = await _name(work, Project, event.project_id)
    service = await _name(work, Service, event.service_id)
    if project is None or service is None:
        return None
    environment_id = str(event.data.get("environmentId") or "")
    if not environment_id and event.deployment_id:
        of_it = select(Deployment.environment_id).where(Deployment.id == event.deployment_id)
        environment_id = await work.session.scalar(of_it) or ""
    environment = await work.session.get(Environment, environment_id) if environment_id else None
    return Happening(
        type=event.type,
        data=event.data,
        project=project,
        service=service,
        service_id=event.service_id,
        deployment_id=event.deployment_id,
        environment="" if environment is None else environment.name,
        environment_id=environment_id,
        environment_kind="" if environment is None else environment.kind,
    )


async def _name(work: Work, model: type[Project] | type[Service], row_id: str) -> str | None:
    """The name of a row: empty without an id, None when it is gone."""
    if not row_id:
        return ""
    row: Project | Service | None = await work.session.get(model, row_id)
    return None if row is None or row.deleted_at is not None else row.name
