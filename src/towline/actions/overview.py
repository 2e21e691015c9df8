"""Deployments as people see them: with names, addresses, release numbers and why one still waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute, aliased

from towline.actions.platform import Platform
from towline.actions.routes import route_url
from towline.errors import NotFound
from towline.infra.database import Work
from towline.infra.reads import Read, ReadModels
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.deployments import Deployment, Release
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service
from towline.values import RUNNING_STATUSES, DeploymentStatus

_Position = tuple[datetime, str]
_NEWEST_FIRST: Final = (Deployment.created_at.desc(), Deployment.id.desc())
_LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
_LAST_ID: Final = "dep_" + 26 * "z"
"""Behind every id, in every order of letters."""
_IS_BEHIND: Final = tuple_(Deployment.created_at, Deployment.id) < tuple_(
    bindparam("created_at", type_=DateTime(timezone=True)), bindparam("id", type_=Text())
)


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
    def owner_column(self) -> str:
        """The column whose index leads to the newest; empty where they are of several projects."""
        if self.service_id:
            return "service_id"
        return "project_id" if self.project_id else ""

    @property
    def is_walk(self) -> bool:
        """Whether the newest are found, and ordered, by id alone."""
        return self.is_everything and not self.owner_column


async def list_deployments(
    platform: Platform, work: Work, wanted: DeploymentFilter, *, limit: int, after: _Position | None = None
) -> Sequence[DeploymentOverview]:
    """Deployments, newest first, behind a position (creation time and id); reads only its page."""
    values = _page_of(wanted, limit=limit, after=after)
    if wanted.owner_column:
        page = _page_of_owner(wanted.owner_column, in_environment=bool(wanted.environment), status=wanted.status)
        return await add_facts(platform, work, await page.fetch_in(work, **values))
    return await add_facts(platform, work, (await work.session.scalars(_page(wanted), values)).all())


async def get_overview(platform: Platform, work: Work, deployment_id: str) -> DeploymentOverview:
    """One deployment; NotFound when there is none."""
    deployments = await _one().fetch_in(work, id=deployment_id)
    if not deployments:
        raise NotFound(f"There is no deployment {deployment_id!r}.")
    return (await add_facts(platform, work, deployments))[0]


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


def _page_of(wanted: DeploymentFilter, *, limit: int, after: _Position | None) -> dict[str, Any]:
    """What fills the statement of a page."""
    owner = {"owner": wanted.service_id or wanted.project_id, "environment": wanted.environment}
    moment, last_id = after or (_LAST_MOMENT, _LAST_ID)
    return {**owner, "most": limit, "created_at": moment, "id": last_id}


def _page(wanted: DeploymentFilter) -> Select[Deployment]:
    """The page's rows, found along an index of all, or of each visible project."""
    visible = select(Project.id).where(wanted.projects)
    query = _rows(in_environment=bool(wanted.environment), status=wanted.status)
    if wanted.is_walk:
        # Ids begin with the time of creation, so the primary key holds deployments in that order.
        walk = query.where(Deployment.project_id.in_(visible), Deployment.id < bindparam("id"))
        return walk.order_by(Deployment.id.desc())
    projects = visible.subquery()
    newest = query.where(Deployment.project_id == projects.c.id, _IS_BEHIND).order_by(*_NEWEST_FIRST).lateral()
    each = aliased(Deployment, newest)
    found = select(each).select_from(projects.join(newest, true()))
    return found.order_by(each.created_at.desc(), each.id.desc()).limit(bindparam("most"))


@cache
def _page_of_owner(owner: str, *, in_environment: bool, status: DeploymentStatus | None) -> ReadModels[Deployment]:
    """The same along an index of the service or project; made once, since making one takes longer than running it."""
    mine = getattr(Deployment, owner) == bindparam("owner")
    query = _rows(in_environment=in_environment, status=status)
    return ReadModels(query.where(mine, _IS_BEHIND).order_by(*_NEWEST_FIRST))


@cache
def _one() -> ReadModels[Deployment]:
    return ReadModels(select(Deployment).where(Deployment.id == bindparam("id")))


def _rows(*, in_environment: bool, status: DeploymentStatus | None) -> Select[Deployment]:
    query = select(Deployment).limit(bindparam("most"))
    if in_environment:
        named = (Environment.id == Deployment.environment_id, Environment.name == bindparam("environment"))
        query = query.where(select(Environment.id).where(*named).exists())
    if status is not None:
        # Written into the statement, so that the partial indexes over open deployments are seen to apply.
        query = query.where(Deployment.status == literal(status.value, literal_execute=True))
    return query


async def add_facts(platform: Platform, work: Work, deployments: Sequence[Deployment]) -> Sequence[DeploymentOverview]:
    """Deployments with what their rows only point at, in the same order."""
    ids = [deployment.id for deployment in deployments]
    found = {row["id"]: row for row in await _facts().fetch_in(work, ids=ids, moment=utc_now())}
    return [_overview(platform, deployment, found[deployment.id]) for deployment in deployments]


@cache
def _facts() -> Read:
    """What the rows of deployments only point at, by `ids`; made once, since making it takes longer than running it."""
    made, target, other = aliased(Release), aliased(Release), aliased(Deployment)
    running = select(other.number).where(
        other.workload_id == Deployment.workload_id, other.status.in_(RUNNING_STATUSES)
    )
    is_queued = Deployment.status == DeploymentStatus.QUEUED.value
    is_delayed = Deployment.not_before > bindparam("moment", type_=DateTime(timezone=True))
    return Read(
        select(
            Deployment.id,
            Project.name.label("project"),
            Service.name.label("service"),
            Environment.name.label("environment"),
            func.coalesce(User.email, Deployment.requested_by).label("requested_by"),
            made.number.label("release_number"),
            target.number.label("rollback_number"),
            addresses(Deployment.workload_id).label("routes"),
            case((is_queued, running.limit(1).scalar_subquery())).label("running_number"),
            case((and_(is_queued, is_delayed), Deployment.not_before)).label("delayed_until"),
        )
        .join(Project, Project.id == Deployment.project_id)
        .join(Service, Service.id == Deployment.service_id)
        .join(Environment, Environment.id == Deployment.environment_id)
        .join(User, User.id == Deployment.requested_by, isouter=True)
        .join(made, made.id == Deployment.release_id, isouter=True)
        .join(target, target.id == Deployment.rollback_to, isouter=True)
        .where(Deployment.id == func.any(bindparam("ids", type_=ARRAY(Text))))
    )


def _overview(platform: Platform, deployment: Deployment, facts: Mapping[str, Any]) -> DeploymentOverview:
    return DeploymentOverview(
        deployment=deployment,
        project=facts["project"],
        service=facts["service"],
        environment=facts["environment"],
        requested_by=facts["requested_by"],
        release_number=facts["release_number"],
        rollback_number=facts["rollback_number"],
        urls=to_urls(platform, facts["routes"]),
        queue_reason=_queue_reason(deployment, facts["running_number"], facts["delayed_until"]),
    )


def _queue_reason(deployment: Deployment, running_number: int | None, delayed_until: datetime | None) -> str:
    if deployment.queue_reason or deployment.status != DeploymentStatus.QUEUED:
        return deployment.queue_reason
    if running_number is not None:
        return f"Waiting for deployment {running_number} of this service."
    if delayed_until is not None:
        return f"Waiting until {delayed_until.isoformat(timespec='seconds')}."
    return "All workers are busy."
