"""HTTP: where notifications go, and what became of each."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement

from towline.actions.access import Permission, may
from towline.actions.notifications.channels import (
    WantedChannel,
    create_channel,
    find_channel,
    list_channels,
    list_notifications,
    queue_test,
    rename_channel,
    set_address,
)
from towline.contract.base import PageQuery
from towline.contract.notifications import (
    NewNotificationChannel,
    Notification,
    NotificationChannel,
    NotificationChannelCreate,
    NotificationChannelList,
    NotificationChannelQuery,
    NotificationChannelUpdate,
    NotificationList,
)
from towline.errors import NotFound
from towline.models.notifications import Notification as NotificationRow
from towline.models.notifications import NotificationChannel as ChannelRow
from towline.web.cursors import decode_cursor, decode_time, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("notifications.listChannels")
async def list_(call: Call, query: NotificationChannelQuery) -> NotificationChannelList:
    """Channels of a project, or (administrators) of the instance."""
    key = decode_cursor(query.cursor, str, str)
    after = None if key is None else (str(key[0]), str(key[1]))
    condition = await _of(call, query.project)
    rows = await list_channels(call.session, condition, after=after, limit=query.limit + 1)
    page = page_of(list(rows), limit=query.limit, key=_by_name)
    return NotificationChannelList(
        items=[NotificationChannel(**_facts(row)) for row in page["items"]], next_cursor=page["next_cursor"]
    )


@router.operation("notifications.createChannel")
async def create(call: Call, body: NotificationChannelCreate) -> NewNotificationChannel:
    """Add a channel."""
    await _of(call, body.project)
    wanted = WantedChannel(
        name=body.name,
        kind=body.kind,
        address=body.address,
        events=body.events,
        environments=body.environments,
        allows_local=_may_be_local(call),
    )
    project_id = None if body.project is None else call.project.id
    made = await create_channel(call.platform, call.work, project_id=project_id, wanted=wanted)
    call.note(made.channel.id, name=made.channel.name, kind=made.channel.kind)
    return NewNotificationChannel(**_facts(made.channel), secret=made.secret)


@router.operation("notifications.updateChannel")
async def update(call: Call, body: NotificationChannelUpdate) -> NotificationChannel:
    """Change a channel."""
    row = await _get(call)
    if body.name is not None:
        await rename_channel(call.work, row, body.name)
    if body.address is not None:
        set_address(call.platform, row, body.address, allows_local=_may_be_local(call))
    if body.events is not None:
        row.events = [*body.events]
    if body.environments is not None:
        row.environments = [*body.environments]
    if body.is_paused is not None:
        row.is_paused = body.is_paused
    call.note(row.id, name=row.name)
    return NotificationChannel(**_facts(row))


@router.operation("notifications.deleteChannel")
async def delete(call: Call) -> None:
    """Delete a channel with what it was told."""
    row = await _get(call)
    call.note(row.id, name=row.name)
    await call.session.delete(row)


@router.operation("notifications.test")
async def test(call: Call) -> Notification:
    """Send a test message."""
    row = await _get(call)
    asked_by = call.caller.email or "Somebody"
    notification = await queue_test(call.platform, call.work, row, asked_by=asked_by)
    call.note(row.id, name=row.name)
    return _notification(notification)


@router.operation("notifications.list")
async def list_told(call: Call, query: PageQuery) -> NotificationList:
    """What a channel was told."""
    row = await _get(call)
    key = decode_cursor(query.cursor, str, str)
    after = None if key is None else (decode_time(key[0]), str(key[1]))
    rows = await list_notifications(call.session, row, limit=query.limit + 1, after=after)
    page = page_of(list(rows), limit=query.limit, key=_by_time)
    return NotificationList(items=[_notification(row) for row in page["items"]], next_cursor=page["next_cursor"])


async def _of(call: Call, project: str | None) -> ColumnElement[bool]:
    """The condition on channels of a project, or of the instance, once the caller may deal with them."""
    if project is None:
        call.require(Permission.ADMINISTER)
        return ChannelRow.project_id.is_(None)
    return ChannelRow.project_id == (await call.get_project(project)).id


async def _get(call: Call) -> ChannelRow:
    row = await find_channel(call.session, call.path["channel"])
    try:
        if row is not None and row.project_id is None:
            call.require(Permission.ADMINISTER)
        else:
            await call.get_project("" if row is None or row.project_id is None else row.project_id)
    except NotFound as error:
        raise NotFound("There is no such channel, or you may not see it.") from error
    assert row is not None
    return row


def _may_be_local(call: Call) -> bool:
    """Administrators' addresses may lead to this machine, but not those given by a key of theirs for less."""
    return may(call.caller, Permission.ADMINISTER, role=None)


def _facts(row: ChannelRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "project_id": row.project_id,
        "name": row.name,
        "kind": cast("Any", row.kind),
        "shown": row.shown,
        "events": row.events,
        "environments": row.environments,
        "is_paused": row.is_paused,
        "created_at": row.created_at,
    }


def _notification(row: NotificationRow) -> Notification:
    return Notification(
        id=row.id,
        kind=row.kind,
        title=row.title,
        text=row.text,
        status=cast("Any", row.status),
        reason=row.reason,
        attempts=row.attempts,
        created_at=row.created_at,
        sent_at=row.sent_at,
    )


def _by_name(row: ChannelRow) -> tuple[str, str]:
    return (row.name, row.id)


def _by_time(row: NotificationRow) -> tuple[datetime, str]:
    return (row.created_at, row.id)
