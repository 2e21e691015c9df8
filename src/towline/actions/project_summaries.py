"""Projects at a glance: how well each is, where it answers, and what was deployed last, for a page of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from sqlalchemy import ARRAY, Text, bindparam, func, select, true
from sqlalchemy.orm import aliased

from towline.actions.overview import DeploymentOverview, add_facts
from towline.actions.platform import Platform
from towline.actions.routes import route_url
from towline.infra.database import Work
from towline.infra.reads import ReadModels, ReadRows
from towline.models.deployments import Deployment
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service, Workload
from towline.values import EnvironmentKind, HealthStatus

_WORST_FIRST: Final = (HealthStatus.UNHEALTHY, HealthStatus.DEGRADED, HealthStatus.HEALTHY)
_MOST_URLS: Final = 20
_IDS: Final = bindparam("ids", type_=ARRAY(Text))


@dataclass(slots=True)
class ProjectSummary:
    """What runs of a project in production, and its newest deployment anywhere."""

    healths: set[str] = field(default_factory=set[str])
    urls: list[str] = field(default_factory=list[str])
    last: DeploymentOverview | None = None

    @property
    def health(self) -> HealthStatus:
        """The worst of its services; unknown where none was checked."""
        return next((health for health in _WORST_FIRST if health in self.healths), HealthStatus.UNKNOWN)


async def summarise_projects(platform: Platform, work: Work, project_ids: Sequence[str]) -> dict[str, ProjectSummary]:
    """A summary of each project, by id."""
    found = {project_id: ProjectSummary() for project_id in project_ids}
    wanted = {"ids": list(project_ids)}
    for project_id, health, host, prefix, certificate in await _running().fetch_in(work, **wanted):
        summary = found[project_id]
        summary.healths.add(health)
        if host is not None and len(summary.urls) < _MOST_URLS:
            summary.urls.append(route_url(platform, host=host, path_prefix=prefix, certificate=certificate))
    newest = await _newest().fetch_in(work, **wanted)
    for overview in await add_facts(platform, work, newest):
        found[overview.deployment.project_id].last = overview
    return found


@cache
def _running() -> ReadRows:
    """Made once, as `_newest`: making it takes longer than running it. A row for each route of what runs."""
    return ReadRows(
        select(Workload.project_id, Workload.health, Route.host, Route.path_prefix, Route.certificate)
        .join(Service, Service.id == Workload.service_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .join(Route, Route.workload_id == Workload.id, isouter=True)
        .where(Workload.project_id == func.any(_IDS), Service.deleted_at.is_(None))
        .where(Environment.kind == EnvironmentKind.PRODUCTION.value, Environment.deleted_at.is_(None))
        .order_by(Service.name, Route.id)
    )


@cache
def _newest() -> ReadModels[Deployment]:
    """The newest deployment of each, found along the index over a project's deployments."""
    newest = (
        select(Deployment)
        .where(Deployment.project_id == Project.id)
        .order_by(Deployment.created_at.desc(), Deployment.id.desc())
        .limit(1)
        .lateral()
    )
    each = aliased(Deployment, newest)
    return ReadModels(select(each).select_from(Project).join(newest, true()).where(Project.id == func.any(_IDS)))
