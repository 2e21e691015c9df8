"""What a group and its deployments look like from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, Select, Text, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.overview import addresses, to_urls
from towline.actions.platform import Platform
from towline.errors import NotFound
from towline.infra.database import Work
from towline.infra.reads import ReadRows
from towline.models.accounts import User
from towline.models.deployments import Deployment, Release
from towline.models.groups import Group
from towline.models.projects import Environment
from towline.models.services import Service


@dataclass(frozen=True, slots=True)
class MemberOverview:
    """A deployment of a group, with the names its ids stand for."""

    deployment: Deployment
    service: str
    release_number: int | None
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupOverview:
    """A group with its members, by name of their services."""

    group: Group
    environment: str
    requested_by: str
    members: Sequence[MemberOverview]


async def get_group(session: AsyncSession, project_id: str, group_id: str) -> Group:
    """A project's group; NotFound when there is none."""
    query = select(Group).where(Group.id == group_id, Group.project_id == project_id)
    group = (await session.scalars(query, execution_options={"populate_existing": True})).one_or_none()
    if group is None:
        raise NotFound(f"There is no group {group_id!r}.", hint="`towline group status` lists them.")
    return group


async def get_group_overview(platform: Platform, work: Work, project_id: str, group_id: str) -> GroupOverview:
    """One group; NotFound when the project has no such."""
    found = await list_groups(platform, work, project_id, group_id=group_id, limit=1)
    if not found:
        raise NotFound(f"There is no group {group_id!r}.", hint="`towline group status` lists them.")
    return found[0]


async def list_groups(
    platform: Platform,
    work: Work,
    project_id: str,
    *,
    limit: int,
    environment: str = "",
    group_id: str = "",
    below: str = "",
) -> list[GroupOverview]:
    """Groups of a project with their members, newest first, those with an id below `below`."""
    read = _groups(in_environment=bool(environment), is_one=bool(group_id), is_below=bool(below))
    wanted = {"environment": environment, "group_id": group_id, "below": below}
    given = {name: value for name, value in wanted.items() if value}
    rows = await read.fetch_in(work, **given, project_id=project_id, most=limit)
    members = await _list_members(platform, work, [row.Group.id for row in rows])
    return [GroupOverview(row.Group, row.environment, row.asker, members.get(row.Group.id, ())) for row in rows]


async def _list_members(platform: Platform, work: Work, group_ids: Sequence[str]) -> dict[str, list[MemberOverview]]:
    found: dict[str, list[MemberOverview]] = {}
    for row in await _members().fetch_in(work, ids=list(group_ids)) if group_ids else ():
        member = MemberOverview(row.Deployment, row.service, row.release_number, to_urls(platform, row.routes))
        found.setdefault(row.Deployment.group_id, []).append(member)
    return found


@cache
def _groups(*, in_environment: bool, is_one: bool, is_below: bool) -> ReadRows:
    """Made once each, as `_members`: making it takes longer than running it."""
    asker = func.coalesce(User.email, Group.requested_by).label("asker")
    query: Select[*tuple[Any, ...]] = (
        select(Group, Environment.name.label("environment"), asker)
        .join(Environment, Environment.id == Group.environment_id)
        .join(User, User.id == Group.requested_by, isouter=True)
        .where(Group.project_id == bindparam("project_id"))
        .order_by(Group.id.desc())
        .limit(bindparam("most"))
    )
    if in_environment:
        query = query.where(Environment.name == bindparam("environment"))
    if is_one:
        query = query.where(Group.id == bindparam("group_id"))
    if is_below:
        query = query.where(Group.id < bindparam("below"))
    return ReadRows(query)


@cache
def _members() -> ReadRows:
    return ReadRows(
        select(
            Deployment,
            Service.name.label("service"),
            Release.number.label("release_number"),
            addresses(Deployment.workload_id).label("routes"),
        )
        .join(Service, Service.id == Deployment.service_id)
        .join(Release, Release.id == Deployment.release_id, isouter=True)
        .where(Deployment.group_id == func.any(bindparam("ids", type_=ARRAY(Text))))
        .order_by(Service.name)
    )
