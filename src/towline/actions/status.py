"""What runs of a service, and how well: the wanted state from the rows, the rest as the engine says it now."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, Text, and_, bindparam, func, select

from towline.actions.overview import addresses, to_urls
from towline.actions.platform import Platform
from towline.actions.runs.requests import RunOverview, find_next_run, list_runs
from towline.errors import NotFound, TowlineError
from towline.infra.database import Work
from towline.infra.reads import Read, ReadModels, ReadRows
from towline.models.deployments import Deployment, Release
from towline.models.history import HealthCheck
from towline.models.projects import Environment
from towline.models.services import Instance as InstanceRow
from towline.models.services import Service, Workload
from towline.values import OPEN_STATUSES, HealthStatus, Instance, InstanceState, ServiceType

_LOOK_SECONDS: Final = 5.0
MOST_STATUSES: Final = 500
"""Most services whose statuses are listed at once."""


@dataclass(frozen=True, slots=True)
class InstanceOverview:
    """An instance as the engine sees it, with what the rows add."""

    instance: Instance
    release_number: int
    health: HealthStatus
    is_routed: bool
    port: int | None


@dataclass(frozen=True, slots=True)
class ServiceOverview:
    """A service in one environment; `workload` is None where it was never deployed."""

    service: Service
    environment: str
    workload: Workload | None = None
    release: Release | None = None
    urls: tuple[str, ...] = ()
    instances: tuple[InstanceOverview, ...] = ()
    open_deployment_id: str | None = None
    last_deployment_id: str | None = None
    engine_problem: str = ""
    next_run_at: datetime | None = None
    last_run: RunOverview | None = None

    @property
    def running(self) -> int:
        """How many instances run right now."""
        return sum(one.instance.state is InstanceState.RUNNING for one in self.instances)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the rows say of a workload's instances."""

    rows: dict[str, InstanceRow] = field(default_factory=dict[str, InstanceRow])
    numbers: dict[str, int] = field(default_factory=dict[str, int])


async def get_service_status(platform: Platform, work: Work, *, service: Service, environment: str) -> ServiceOverview:
    """A service in one environment (by name); NotFound when the project has no such environment."""
    found = await _find_workload(work, service, environment)
    if found is None:
        await _check_environment(work, service.project_id, environment)
        return ServiceOverview(service, environment)
    workload: Workload = found[0]
    is_cron = service.type == ServiceType.CRON
    instances, problem = await _list_instances(platform, work, workload)
    return ServiceOverview(
        service=service,
        environment=found.environment,
        workload=workload,
        release=found[1],
        urls=to_urls(platform, found.routes),
        instances=instances,
        open_deployment_id=found.open_deployment_id,
        last_deployment_id=found.last_deployment_id,
        engine_problem=problem,
        next_run_at=await find_next_run(work, workload) if is_cron else None,
        last_run=await _find_last_run(work, workload.id) if is_cron else None,
    )


async def list_service_statuses(
    platform: Platform, work: Work, *, project_id: str, environment: str
) -> Sequence[ServiceOverview]:
    """Every service of a project in one environment (by name), by name, with one look at the engine for all of them.

    NotFound when the project has no such environment. What only runs tell of a cron service is left out.
    """
    await _check_environment(work, project_id, environment)
    named = {"project_id": project_id, "environment": environment, "most": MOST_STATUSES}
    found = await _places().fetch_in(work, **named)
    ids = {row[1].id for row in found if row[1] is not None}
    instances, problem = await _list_all_instances(platform, ids)
    rows = await _instance_rows().fetch_in(work, ids=list(ids))
    known = _Known({row.id: row for row in rows}, await _numbers(work, instances))
    return [_overview(platform, row, instances, known, environment=environment, problem=problem) for row in found]


async def find_workload_id(work: Work, *, service: Service, environment: str) -> str | None:
    """The workload of a service in an environment (by name); None where it was never deployed."""
    found = await _workload_id().fetch_in(work, service_id=service.id, environment=environment)
    if not found:
        await _check_environment(work, service.project_id, environment)
    return found[0]["id"] if found else None


async def list_health_checks(
    work: Work, workload_id: str, *, limit: int, before: datetime | None = None
) -> Sequence[HealthCheck]:
    """Looks of the monitor at a workload, newest first."""
    query = select(HealthCheck).where(HealthCheck.workload_id == workload_id)
    if before is not None:
        query = query.where(HealthCheck.checked_at < before)
    return (await work.session.scalars(query.order_by(HealthCheck.checked_at.desc()).limit(limit))).all()


async def _find_last_run(work: Work, workload_id: str) -> RunOverview | None:
    return next(iter(await list_runs(work, workload_id=workload_id, limit=1)), None)


async def _find_workload(work: Work, service: Service, environment: str) -> Any:
    found = await _place().fetch_in(work, service_id=service.id, environment=environment)
    return next(iter(found), None)


@cache
def _workload_id() -> Read:
    return Read(
        select(Workload.id)
        .join(Environment, Environment.id == Workload.environment_id)
        .where(Workload.service_id == bindparam("service_id"), Environment.name == bindparam("environment"))
        .where(Environment.deleted_at.is_(None))
    )


@cache
def _place() -> ReadRows:
    """A service in an environment; made once, since making it takes longer than running it."""
    return ReadRows(
        select(Workload, Release, Environment.name.label("environment"), *_facts())
        .join(Environment, Environment.id == Workload.environment_id)
        .join(Release, Release.id == Workload.release_id, isouter=True)
        .where(
            Workload.service_id == bindparam("service_id"),
            Environment.deleted_at.is_(None),
            Environment.name == bindparam("environment"),
        )
    )


@cache
def _places() -> ReadRows:
    """The same of every service of a project; those that were never deployed there have no workload."""
    in_environment = and_(
        Environment.project_id == Service.project_id,
        Environment.name == bindparam("environment"),
        Environment.deleted_at.is_(None),
    )
    workload = and_(Workload.service_id == Service.id, Workload.environment_id == Environment.id)
    return ReadRows(
        select(Service, Workload, Release, *_facts())
        .join(Environment, in_environment, isouter=True)
        .join(Workload, workload, isouter=True)
        .join(Release, Release.id == Workload.release_id, isouter=True)
        .where(Service.project_id == bindparam("project_id"), Service.deleted_at.is_(None))
        .order_by(Service.name)
        .limit(bindparam("most"))
    )


def _facts() -> tuple[ColumnElement[Any], ...]:
    """What other rows tell of a workload: its routes, the oldest open deployment, the newest of all."""
    mine = Deployment.workload_id == Workload.id
    # Written out: a plan for any statuses could not use the small index of the open ones, and read all of a workload.
    open_statuses = bindparam("open_statuses", OPEN_STATUSES, type_=Text(), expanding=True, literal_execute=True)
    is_open = mine & Deployment.status.in_(open_statuses)
    oldest_open = select(Deployment.id).where(is_open).order_by(Deployment.number).limit(1)
    newest = select(Deployment.id).where(mine).order_by(Deployment.number.desc()).limit(1)
    return (
        addresses(Workload.id).label("routes"),
        oldest_open.correlate(Workload).scalar_subquery().label("open_deployment_id"),
        newest.correlate(Workload).scalar_subquery().label("last_deployment_id"),
    )


async def _check_environment(work: Work, project_id: str, environment: str) -> None:
    query = select(Environment.id).where(
        Environment.project_id == project_id, Environment.name == environment, Environment.deleted_at.is_(None)
    )
    if environment != "production" and await work.session.scalar(query) is None:
        raise NotFound(f"The project has no environment {environment!r}.", hint="Create it first, or leave it out.")


async def _list_instances(
    platform: Platform, work: Work, workload: Workload
) -> tuple[tuple[InstanceOverview, ...], str]:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            status = await platform.orchestrator.get_status(workload.id)
    except TowlineError as error:
        return (), error.message
    except TimeoutError:
        return (), "Docker does not answer in time."
    rows = await _instance_rows().fetch_in(work, ids=[workload.id])
    known = _Known({row.id: row for row in rows}, await _numbers(work, status.instances))
    ordered = sorted(status.instances, key=lambda instance: instance.id)
    return tuple(_instance(workload, instance, known) for instance in ordered), ""


async def _list_all_instances(platform: Platform, workload_ids: set[str]) -> tuple[Sequence[Instance], str]:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            found = await platform.orchestrator.list_instances()
    except TowlineError as error:
        return (), error.message
    except TimeoutError:
        return (), "Docker does not answer in time."
    return [instance for instance in found if instance.workload_id in workload_ids], ""


async def _numbers(work: Work, instances: Sequence[Instance]) -> dict[str, int]:
    """Numbers of the releases that run, by id."""
    releases = {instance.release_id for instance in instances}
    return {row["id"]: row["number"] for row in await _release_numbers().fetch_in(work, ids=list(releases))}


@cache
def _instance_rows() -> ReadModels[InstanceRow]:
    ids = bindparam("ids", type_=ARRAY(Text))
    return ReadModels(select(InstanceRow).where(InstanceRow.workload_id == func.any(ids)))


@cache
def _release_numbers() -> Read:
    ids = bindparam("ids", type_=ARRAY(Text))
    return Read(select(Release.id, Release.number).where(Release.id == func.any(ids)))


def _overview(
    platform: Platform, row: Any, instances: Sequence[Instance], known: _Known, *, environment: str, problem: str
) -> ServiceOverview:
    service, workload = row[0], row[1]
    if workload is None:
        return ServiceOverview(service, environment)
    mine = sorted((one for one in instances if one.workload_id == workload.id), key=lambda one: one.id)
    return ServiceOverview(
        service=service,
        environment=environment,
        workload=workload,
        release=row[2],
        urls=to_urls(platform, row.routes),
        instances=tuple(_instance(workload, one, known) for one in mine),
        open_deployment_id=row.open_deployment_id,
        last_deployment_id=row.last_deployment_id,
        engine_problem=problem,
    )


def _instance(workload: Workload, instance: Instance, known: _Known) -> InstanceOverview:
    row = known.rows.get(instance.id)
    is_routed = row is not None and row.is_routed and workload.wanted == "running"
    return InstanceOverview(
        instance=instance,
        release_number=known.numbers.get(instance.release_id, 0),
        health=_health(workload, instance, is_routed=is_routed),
        is_routed=is_routed and instance.state is InstanceState.RUNNING,
        port=None if row is None else row.port,
    )


def _health(workload: Workload, instance: Instance, *, is_routed: bool) -> HealthStatus:
    """Of one instance: what the engine's own check says, else what the workload's last check tells of all of them."""
    if instance.state is InstanceState.EXITED:
        return HealthStatus.UNHEALTHY
    if instance.engine_health is not HealthStatus.UNKNOWN:
        return instance.engine_health
    is_told = is_routed and workload.health in {HealthStatus.HEALTHY, HealthStatus.UNHEALTHY}
    return HealthStatus(workload.health) if is_told else HealthStatus.UNKNOWN
