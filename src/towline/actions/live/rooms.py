"""Rooms: who may be in one, and what belongs to it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller, Permission, check, get_project, may, select_projects
from towline.actions.events import event_payload
from towline.actions.live.wire import EventMessage, Origin, event_message
from towline.actions.platform import Platform
from towline.errors import NotFound, TowlineError
from towline.infra.reads import Read
from towline.models.deployments import Deployment
from towline.models.history import Event, Log
from towline.models.projects import Project

_COLUMNS: Final[dict[str, Any]] = {
    "project": Event.project_id,
    "deployment": Event.deployment_id,
    "user": Event.user_id,
}


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to be in a room; `origin` is there when the room also has a log that may be seen."""

    room: str
    project_id: str = ""
    origin: Origin | None = None


async def admit(session: AsyncSession, caller: Caller, room: str) -> Grant:
    """The right of a caller to be in a room; NotFound, Forbidden or Unauthenticated otherwise."""
    kind, _, object_id = room.partition(":")
    if kind == "project":
        project = await get_project(session, caller, object_id)
        return Grant(f"project:{project.id}", project.id)
    if kind == "deployment":
        return await _admit_to_deployment(session, caller, object_id)
    if kind == "user" and caller.user_id and object_id == caller.user_id and caller.project_id is None:
        return Grant(room)
    raise NotFound(f"There is no room {room[:100]!r}, or you may not be in it.")


async def read_events(platform: Platform, after: Mapping[str, int], *, limit: int) -> Sequence[EventMessage]:
    """Numbered events of rooms, each behind its own sequence, oldest first; found along each room's index."""
    each = [_next_of(room, sequence, limit) for room, sequence in after.items()]
    if not each:
        return ()
    wanted = union_all(*each).subquery()
    query = select(Event).where(Event.id.in_(select(wanted.c.id))).order_by(Event.sequence).limit(limit)
    async with platform.database.transaction() as work:
        return [event_message(event_payload(event)) for event in await work.session.scalars(query)]


async def get_newest_sequence(platform: Platform) -> int:
    """The number of the newest event; 0 when there is none."""
    rows = await _newest().fetch(platform.database)
    return rows[0]["newest"] or 0


@cache
def _newest() -> Read:
    return Read(select(func.max(Event.sequence).label("newest")))


async def get_last_line(platform: Platform, owner_id: str) -> int:
    """The number of the newest line of a log; 0 when there is none."""
    async with platform.database.transaction() as work:
        return await work.session.scalar(select(Log.last_sequence).where(Log.owner_id == owner_id)) or 0


async def list_lost_rooms(platform: Platform, caller: Caller, grants: Collection[Grant]) -> list[str]:
    """Rooms of a caller that it may no longer be in, or whose log it may no longer see."""
    projects = {grant.project_id for grant in grants if grant.project_id}
    async with platform.database.transaction() as work:
        rows = await work.session.execute(select_projects(caller).where(Project.id.in_(projects)))
        roles = {project.id: role for project, role in rows}
    return [grant.room for grant in grants if grant.project_id and not _may_stay(caller, grant, roles)]


def _may_stay(caller: Caller, grant: Grant, roles: dict[str, str | None]) -> bool:
    if grant.project_id not in roles:
        return False
    needed = [Permission.VIEW_PROJECTS] + [Permission.VIEW_LOGS] * (grant.origin is not None)
    return all(may(caller, permission, role=roles[grant.project_id]) for permission in needed)


async def _admit_to_deployment(session: AsyncSession, caller: Caller, deployment_id: str) -> Grant:
    query = select(Deployment.project_id, Deployment.service_id).where(Deployment.id == deployment_id)
    row = (await session.execute(query)).first()
    try:
        project = await get_project(session, caller, "" if row is None else row.project_id)
    except NotFound as error:
        raise NotFound(f"There is no deployment {deployment_id!r}, or you may not see it.") from error
    assert row is not None
    origin = Origin(project.id, row.service_id, deployment_id)
    sees_logs = await _may_see_logs(session, caller, project)
    return Grant(f"deployment:{deployment_id}", project.id, origin if sees_logs else None)


async def _may_see_logs(session: AsyncSession, caller: Caller, project: Project) -> bool:
    row = (await session.execute(select_projects(caller).where(Project.id == project.id))).first()
    try:
        check(caller, Permission.VIEW_LOGS, role=None if row is None else row[1], project_id=project.id)
    except TowlineError:
        return False
    return True


def _next_of(room: str, after: int, limit: int) -> Any:
    kind, _, object_id = room.partition(":")
    query = select(Event.id).where(_COLUMNS[kind] == object_id, Event.sequence > after)
    return select(query.order_by(Event.sequence).limit(limit).subquery().c.id)
