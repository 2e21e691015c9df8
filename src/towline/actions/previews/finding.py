"""Finding previews: by id or name, by what they are for, and as people see them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.overview import addresses, to_urls
from towline.actions.platform import Platform
from towline.errors import NotFound
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.groups import Group
from towline.models.previews import Preview
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload


@dataclass(frozen=True, slots=True)
class PreviewMember:
    """A service of a preview with its addresses; `is_shared` says that it is the base environment's."""

    service: Service
    is_shared: bool
    urls: tuple[str, ...]
    health: str


@dataclass(frozen=True, slots=True)
class PreviewOverview:
    """A preview with what its row only points at."""

    preview: Preview
    project: str
    environment: Environment
    base: str
    created_by: str
    approved_by: str
    group: Group | None
    members: Sequence[PreviewMember] = field(default_factory=list[PreviewMember])

    @property
    def name(self) -> str:
        """The preview's name."""
        return self.environment.name

    @property
    def main(self) -> PreviewMember | None:
        """The service that the preview's host leads to."""
        return next((one for one in self.members if one.service.id == self.preview.main_service_id), None)


async def get_preview(work: Work, project_id: str, reference: str) -> Preview:
    """A project's preview by id or name, its row locked; NotFound otherwise, also once it is being removed."""
    query = _of_project(project_id).where((Preview.id == reference) | (Environment.name == reference))
    preview = (await work.session.scalars(query.with_for_update(of=Preview))).one_or_none()
    if preview is None:
        raise NotFound(f"The project has no preview {reference!r}.", hint="`towline previews` lists them.")
    return preview


async def find_preview_for(work: Work, hook_id: str, *, number: int | None = None, branch: str = "") -> Preview | None:
    """The preview of a request (by its number) or of a branch of a connected repository, its row locked."""
    query = select(Preview).where(Preview.hook_id == hook_id, Preview.state != "removing")
    if number is not None:
        query = query.where(Preview.number == number)
    else:
        query = query.where(Preview.origin == "branch", Preview.ref == branch)
    return (await work.session.scalars(query.with_for_update())).one_or_none()


async def list_previews(
    platform: Platform, session: AsyncSession, project_id: str, *, limit: int, below: str = "", origin: str = ""
) -> Sequence[PreviewOverview]:
    """A project's previews that are not being removed, newest first, with ids below a given one."""
    query = _of_project(project_id).order_by(Preview.id.desc()).limit(limit)
    if below:
        query = query.where(Preview.id < below)
    if origin:
        query = query.where(Preview.origin == origin)
    return await _add_facts(platform, session, (await session.scalars(query)).all())


async def get_preview_overview(platform: Platform, session: AsyncSession, preview: Preview) -> PreviewOverview:
    """One preview as people see it."""
    return (await _add_facts(platform, session, [preview]))[0]


def _of_project(project_id: str) -> Select[Preview]:
    return (
        select(Preview)
        .join(Environment, Environment.id == Preview.environment_id)
        .where(Preview.project_id == project_id, Preview.state != "removing", Environment.deleted_at.is_(None))
    )


async def _add_facts(
    platform: Platform, session: AsyncSession, previews: Sequence[Preview]
) -> Sequence[PreviewOverview]:
    ids = {id_ for one in previews for id_ in (one.environment_id, one.base_environment_id)}
    found = await session.scalars(select(Environment).where(Environment.id.in_(ids)))
    environments = {row.id: row for row in found}
    users = {name for one in previews for name in (one.created_by, one.approved_by)}
    people = {row.id: row.email for row in await session.execute(select(User.id, User.email).where(User.id.in_(users)))}
    groups = await _newest_groups(session, [one.environment_id for one in previews])
    members = await _list_members(platform, session, previews)
    project_ids = {one.project_id for one in previews}
    named = await session.execute(select(Project.id, Project.name).where(Project.id.in_(project_ids)))
    projects = {row.id: row.name for row in named}
    return [
        PreviewOverview(
            preview=one,
            project=projects[one.project_id],
            environment=environments[one.environment_id],
            base=environments[one.base_environment_id].name,
            created_by=people.get(one.created_by, one.created_by),
            approved_by=people.get(one.approved_by, one.approved_by),
            group=groups.get(one.environment_id),
            members=members[one.id],
        )
        for one in previews
    ]


async def _newest_groups(session: AsyncSession, environment_ids: Sequence[str]) -> dict[str, Group]:
    newest = (
        select(Group.environment_id, func.max(Group.number).label("number"))
        .where(Group.environment_id.in_(environment_ids))
        .group_by(Group.environment_id)
        .subquery()
    )
    query = select(Group).join(
        newest, (Group.environment_id == newest.c.environment_id) & (Group.number == newest.c.number)
    )
    return {group.environment_id: group for group in await session.scalars(query)}


async def _list_members(
    platform: Platform, session: AsyncSession, previews: Sequence[Preview]
) -> dict[str, list[PreviewMember]]:
    environment_ids = {id_ for one in previews for id_ in (one.environment_id, one.base_environment_id)}
    service_ids = {id_ for one in previews for id_ in (*one.service_ids, *one.shared)}
    query = (
        select(Service, Workload, addresses(Workload.id).label("routes"))
        .join(Workload, Workload.service_id == Service.id)
        .where(Service.id.in_(service_ids), Service.deleted_at.is_(None), Workload.environment_id.in_(environment_ids))
        .order_by(Service.name)
    )
    rows = (await session.execute(query)).all()
    found: dict[str, list[PreviewMember]] = {one.id: [] for one in previews}
    for one in previews:
        for service, workload, routes in rows:
            is_own = workload.environment_id == one.environment_id and service.id in one.service_ids
            is_shared = workload.environment_id == one.base_environment_id and service.id in one.shared
            if is_own or is_shared:
                urls = to_urls(platform, routes)
                found[one.id].append(PreviewMember(service, is_shared, urls, workload.health))
    return found
