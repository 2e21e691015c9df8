"""Projects: made with their production environment and owner, shown with the caller's role, deleted as a whole."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, Text, bindparam, delete, func, select, update

from towline.actions.access import Caller, Role, select_with_role, visible_to
from towline.actions.deletion import mark_deleted, publish_soon, retire_workloads
from towline.actions.environments import PRODUCTION, add_environment
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.routes import rename_generated_routes
from towline.errors import Conflict
from towline.infra.database import Work
from towline.infra.reads import Read
from towline.models.accounts import ApiKey
from towline.models.base import utc_now
from towline.models.connections import Connection
from towline.models.deployments import Registry
from towline.models.hooks import Hook
from towline.models.notifications import NotificationChannel
from towline.models.projects import Environment, Project, ProjectCollaborator
from towline.models.services import Service, Variable, Workload
from towline.models.variable_changes import VariableChange
from towline.models.webhook_secrets import WebhookSecret
from towline.names import new_id
from towline.values import EnvironmentKind

CHANGEABLE: Final = ("name", "description", "base_domain", "takes_global_secrets")
"""What `update_project` takes."""


async def create_project(
    platform: Platform, work: Work, caller: Caller, *, name: str, description: str = "", base_domain: str = ""
) -> Project:
    """A new project with its production environment; its creator becomes owner. Conflict when the name is taken."""
    await _check_name_is_free(work, name)
    project = Project(
        id=new_id("prj"),
        created_at=utc_now(),
        name=name,
        description=description,
        base_domain=base_domain,
        owner_id=caller.user_id,
    )
    work.session.add(project)
    await work.session.flush()
    work.session.add(ProjectCollaborator(project_id=project.id, user_id=caller.user_id, role=Role.OWNER.value))
    await add_environment(work, project.id, PRODUCTION, kind=EnvironmentKind.PRODUCTION)
    emit(platform, work, "project.created", project_id=project.id, user_id=caller.user_id)
    return project


async def update_project(platform: Platform, work: Work, project: Project, changes: Mapping[str, str | bool]) -> None:
    """Change fields of CHANGEABLE; a new name or base domain gives its generated hosts new names."""
    if "name" in changes and changes["name"] != project.name:
        await _check_name_is_free(work, str(changes["name"]))
    moves = any(changes.get(field, getattr(project, field)) != getattr(project, field) for field in _IN_HOSTS)
    for field in CHANGEABLE:
        if field in changes:
            setattr(project, field, changes[field])
    await work.session.flush()
    if moves:
        environment_ids = await rename_generated_routes(platform, work, Workload.project_id == project.id)
        publish_soon(platform, work, environment_ids)
    emit(platform, work, "project.updated", project_id=project.id)


async def delete_project(platform: Platform, work: Work, project: Project) -> None:
    """Delete a project with its services and environments, its variables with what they were, credentials and keys."""
    await retire_workloads(platform, work, Workload.project_id == project.id)
    for model in (Service, Environment):
        rows = select(model).where(model.project_id == project.id, model.deleted_at.is_(None))
        for row in await work.session.scalars(rows):
            mark_deleted(row)
    session = work.session
    await session.execute(
        delete(Variable).where(_owned_by(project, Variable.project_id) | Variable.service_id.in_(_services(project)))
    )
    await session.execute(delete(VariableChange).where(_owned_by(project, VariableChange.project_id)))
    await session.execute(
        update(Service).where(Service.project_id == project.id).values(source_credential=None, build_secrets=None)
    )
    for kept in (Registry, Connection, Hook, NotificationChannel):
        await session.execute(delete(kept).where(_owned_by(project, kept.project_id)))
    await session.execute(delete(WebhookSecret).where(WebhookSecret.service_id.in_(_services(project))))
    await session.execute(update(ApiKey).where(_owned_by(project, ApiKey.project_id)).values(revoked_at=utc_now()))
    mark_deleted(project)
    emit(platform, work, "project.deleted", project_id=project.id)


async def list_projects(platform: Platform, caller: Caller, *, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Projects the caller may see, by name, behind the name `after`; in the shape of the contract's Project."""
    if not caller.user_id:
        return []
    read = _list_read(is_administrator=caller.is_administrator, is_one_project=caller.project_id is not None)
    rows = await read.fetch(
        platform.database, user_id=caller.user_id, only_project=caller.project_id, after=after or "", most=limit
    )
    return [_view(platform, row) for row in rows]


async def get_project_view(platform: Platform, work: Work, caller: Caller, project_id: str) -> dict[str, Any]:
    """One project in the shape of the contract's Project."""
    read = _one_view(is_administrator=caller.is_administrator, is_one_project=caller.project_id is not None)
    wanted = {"user_id": caller.user_id, "only_project": caller.project_id, "project_id": project_id}
    (row,) = await read.fetch_in(work, **wanted)
    return _view(platform, row)


def _view(platform: Platform, row: Mapping[Any, Any]) -> dict[str, Any]:
    view = dict(row)
    view["role"] = view["role"] or Role.OWNER.value
    view["base_domain"] = view["base_domain"] or platform.settings.base_domain
    return view


@cache
def _list_read(*, is_administrator: bool, is_one_project: bool) -> Read:
    """The list as a statement compiled once for each kind of caller."""
    query = _visible_views(is_administrator=is_administrator, is_one_project=is_one_project)
    behind = query.where(Project.name > bindparam("after", type_=Text())).order_by(Project.name)
    return Read(behind.limit(bindparam("most", type_=BigInteger())))


@cache
def _one_view(*, is_administrator: bool, is_one_project: bool) -> Read:
    query = _visible_views(is_administrator=is_administrator, is_one_project=is_one_project)
    return Read(query.where(Project.id == bindparam("project_id")))


def _visible_views(*, is_administrator: bool, is_one_project: bool) -> Select[*tuple[Any, ...]]:
    user_id = bindparam("user_id", type_=Text())
    only_project = bindparam("only_project", type_=Text()) if is_one_project else None
    visible = visible_to(user_id, is_administrator=is_administrator, project_id=only_project)
    return _with_view(select_with_role(user_id)).where(visible)


def _with_view(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    count = (
        select(func.count())
        .where(Service.project_id == Project.id, Service.deleted_at.is_(None))
        .correlate(Project)
        .scalar_subquery()
    )
    return query.with_only_columns(
        Project.id,
        Project.name,
        Project.description,
        Project.owner_id,
        Project.base_domain,
        Project.takes_global_secrets,
        ProjectCollaborator.role,
        count.label("service_count"),
        Project.created_at,
    )


async def _check_name_is_free(work: Work, name: str) -> None:
    if await work.session.scalar(select(Project.id).where(Project.name == name)) is not None:
        raise Conflict(f"There is already a project named {name!r}.", hint="Choose another name.")


def _owned_by(project: Project, column: Any) -> ColumnElement[bool]:
    return column == project.id


def _services(project: Project) -> Select[str]:
    return select(Service.id).where(Service.project_id == project.id)


_IN_HOSTS: Final = ("name", "base_domain")
