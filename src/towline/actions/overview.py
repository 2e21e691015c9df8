"""Deployments as people see them: with names, addresses, release numbers and why one still waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, Select, Subquery, and_, case, func, literal, select, true, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from towline.actions.platform import Platform
from towline.actions.routes import route_url
from towline.errors import NotFound
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.deployments import Deployment, Release
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service
from towline.values import DeploymentStatus

RUNNING: Final = ("building", "deploying")
_Position = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class DeploymentOverview:
    """A deployment with what its row only points at."""

    deployment: Deployment
    project: str
    service: str
    environment: str
    requested_by: str
    release_number: int | None
    rollback_number: int | None
    urls: tuple[str, ...]
    queue_reason: str


@dataclass(frozen=True, slots=True)
class DeploymentFilter:
    """Which deployments are wanted; `projects` is the condition of those the caller may see.

    `is_everything` says that this condition leaves out none but deleted projects, so that the newest can be found by
    walking all deployments instead of those of each project.
    """

    projects: ColumnElement[bool]
    is_everything: bool = False
    project_id: str = ""
    service_id: str = ""
    environment: str = ""
    status: DeploymentStatus | None = None

    @property
    def is_walk(self) -> bool:
        """Whether the newest are found, and ordered, by id alone."""
        return self.is_everything and not self.project_id and not self.service_id


async def list_deployments(
    platform: Platform, session: AsyncSession, wanted: DeploymentFilter, *, limit: int, after: _Position | None = None
) -> Sequence[DeploymentOverview]:
    """Deployments, newest first, behind a position (creation time and id); one query that reads only its page."""
    page = _page(wanted, limit=limit, after=after)
    order = [page.c.id.desc()] if wanted.is_walk else [page.c.created_at.desc(), page.c.id.desc()]
    query = _overviews(aliased(Deployment, page)).order_by(*order)
    return [_overview(platform, row) for row in await session.execute(query)]


async def get_overview(platform: Platform, session: AsyncSession, deployment_id: str) -> DeploymentOverview:
    """One deployment; NotFound when there is none."""
    page = select(Deployment).where(Deployment.id == deployment_id).subquery()
    row = (await session.execute(_overviews(aliased(Deployment, page)))).first()
    if row is None:
        raise NotFound(f"There is no deployment {deployment_id!r}.")
    return _overview(platform, row)


def addresses(workload_id: ColumnElement[str] | InstrumentedAttribute[str]) -> ColumnElement[Any]:
    """The routes of a workload as one JSON column; `to_urls` makes addresses of it."""
    parts = func.json_build_array(Route.host, Route.path_prefix, Route.certificate)
    routes = select(func.json_agg(aggregate_order_by(parts, Route.id))).where(Route.workload_id == workload_id)
    return routes.correlate_except(Route).scalar_subquery()


def to_urls(platform: Platform, routes: Sequence[Sequence[str]] | None) -> tuple[str, ...]:
    """Addresses of the routes in a column made by `addresses`."""
    return tuple(
        route_url(platform, host=host, path_prefix=prefix, certificate=certificate)
        for host, prefix, certificate in routes or ()
    )


def _page(wanted: DeploymentFilter, *, limit: int, after: _Position | None) -> Subquery:
    """The page's rows, found along an index: of the service, of the project, of all, or of each visible project."""
    is_newest = (Deployment.created_at.desc(), Deployment.id.desc())
    query = _filtered(wanted, after).limit(limit)
    if wanted.service_id:
        return query.where(Deployment.service_id == wanted.service_id).order_by(*is_newest).subquery()
    if wanted.project_id:
        return query.where(Deployment.project_id == wanted.project_id).order_by(*is_newest).subquery()
    visible = select(Project.id).where(wanted.projects)
    if wanted.is_walk:
        # Ids begin with the time of creation, so the primary key holds deployments in that order.
        return query.where(Deployment.project_id.in_(visible)).order_by(Deployment.id.desc()).subquery()
    projects = visible.subquery()
    newest = query.where(Deployment.project_id == projects.c.id).order_by(*is_newest).lateral()
    each = select(newest).select_from(projects.join(newest, true()))
    return each.order_by(newest.c.created_at.desc(), newest.c.id.desc()).limit(limit).subquery()


def _filtered(wanted: DeploymentFilter, after: _Position | None) -> Select[Deployment]:
    query = select(Deployment)
    if wanted.environment:
        named = Environment.id == Deployment.environment_id
        query = query.where(select(Environment.id).where(named, Environment.name == wanted.environment).exists())
    if wanted.status is not None:
        # Written into the statement, so that the partial indexes over open deployments are seen to apply.
        query = query.where(Deployment.status == literal(wanted.status.value, literal_execute=True))
    if after is not None and wanted.is_walk:
        return query.where(Deployment.id < after[1])
    if after is not None:
        query = query.where(tuple_(Deployment.created_at, Deployment.id) < after)
    return query


def _overviews(deployment: type[Deployment]) -> Any:
    made, target, other = aliased(Release), aliased(Release), aliased(Deployment)
    running = select(other.number).where(other.workload_id == deployment.workload_id, other.status.in_(RUNNING))
    return (
        select(
            deployment,
            Project.name.label("project"),
            Service.name.label("service"),
            Environment.name.label("environment"),
            func.coalesce(User.email, deployment.requested_by).label("requested_by"),
            made.number.label("release_number"),
            target.number.label("rollback_number"),
            addresses(deployment.workload_id).label("routes"),
            case((deployment.status == "queued", running.limit(1).scalar_subquery())).label("running_number"),
            case((_is_delayed(deployment), deployment.not_before)).label("delayed_until"),
        )
        .join(Project, Project.id == deployment.project_id)
        .join(Service, Service.id == deployment.service_id)
        .join(Environment, Environment.id == deployment.environment_id)
        .join(User, User.id == deployment.requested_by, isouter=True)
        .join(made, made.id == deployment.release_id, isouter=True)
        .join(target, target.id == deployment.rollback_to, isouter=True)
    )


def _is_delayed(deployment: type[Deployment]) -> ColumnElement[bool]:
    is_later: ColumnElement[bool] = func.coalesce(
        deployment.not_before > utc_now(), literal(value=False, type_=Boolean)
    )
    return and_(deployment.status == "queued", is_later)


def _overview(platform: Platform, row: Any) -> DeploymentOverview:
    deployment: Deployment = row[0]
    return DeploymentOverview(
        deployment=deployment,
        project=row.project,
        service=row.service,
        environment=row.environment,
        requested_by=row.requested_by,
        release_number=row.release_number,
        rollback_number=row.rollback_number,
        urls=to_urls(platform, row.routes),
        queue_reason=_queue_reason(deployment, row.running_number, row.delayed_until),
    )


def _queue_reason(deployment: Deployment, running_number: int | None, delayed_until: datetime | None) -> str:
    if deployment.queue_reason or deployment.status != DeploymentStatus.QUEUED:
        return deployment.queue_reason
    if running_number is not None:
        return f"Waiting for deployment {running_number} of this service."
    if delayed_until is not None:
        return f"Waiting until {delayed_until.isoformat(timespec='seconds')}."
    return "All workers are busy."
