"""Runs that someone asks for, calls off, or looks at."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, tuple_

from towline.actions.environments import find_environment
from towline.actions.platform import Platform
from towline.actions.runs.due import find_open_run
from towline.actions.runs.telling import emit_finished
from towline.actions.schedules import find_next_time
from towline.actions.settings import run_settings
from towline.actions.workloads import lock_workload
from towline.errors import Conflict, NotFound
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Release
from towline.models.projects import Environment, Project
from towline.models.runs import CronRun
from towline.models.services import Service, Workload
from towline.names import new_id
from towline.runs import OPEN_RUN_STATUSES, RunStatus, RunTrigger
from towline.values import ServiceType


@dataclass(frozen=True, slots=True)
class RunOverview:
    """A run, where it ran, and the number of its release."""

    run: CronRun
    environment: str
    release: int | None


async def request_run(
    platform: Platform, work: Work, *, project: Project, service: Service, environment: str, requested_by: str
) -> CronRun:
    """Queue a run of what is deployed now; Conflict while another one has not ended, or when nothing is deployed."""
    if service.type != ServiceType.CRON:
        raise Conflict(f"{service.name} is of type {service.type}.", hint="Only services of type cron have runs.")
    place = await find_environment(work, project.id, environment)
    if place is None:
        raise NotFound(f"The project has no environment {environment!r}.", hint="Create it first, or leave it out.")
    workload = await lock_workload(work, project=project, service=service, environment=place)
    if workload.release_id is None:
        raise Conflict(f"{service.name} has never been deployed here.", hint="Deploy it first.")
    before = await find_open_run(work, workload.id)
    if before is not None:
        raise Conflict(f"The run {before.id} has not ended.", hint="Wait for its end, or cancel it.")
    now = utc_now()
    run = CronRun(
        id=new_id("run"),
        created_at=now,
        project_id=project.id,
        service_id=service.id,
        workload_id=workload.id,
        release_id=workload.release_id,
        scheduled_at=now,
        trigger=RunTrigger.MANUAL.value,
        requested_by=requested_by,
    )
    work.session.add(run)
    await work.session.flush()
    work.after_commit(lambda: platform.bell.ring("deployments"))
    return run


async def cancel_run(platform: Platform, work: Work, run_id: str) -> None:
    """End a run: one that waits at once, one that runs by SIGTERM, then SIGKILL. Conflict for one that has ended."""
    query = select(CronRun).where(CronRun.id == run_id).with_for_update()
    run = (await work.session.scalars(query, execution_options={"populate_existing": True})).one()
    if RunStatus(run.status).is_final:
        raise Conflict(f"The run {run.id} has ended: {run.status}.", hint="Only a run that has not ended is cancelled.")
    await _cancel(platform, work, run)


async def cancel_open_runs(platform: Platform, work: Work, workload_ids: Collection[str]) -> None:
    """The same for whatever has not ended of these workloads."""
    query = (
        select(CronRun)
        .where(CronRun.workload_id.in_(workload_ids), CronRun.status.in_(OPEN_RUN_STATUSES))
        .order_by(CronRun.id)
        .with_for_update()
    )
    for run in (await work.session.scalars(query)).all():
        await _cancel(platform, work, run)


async def _cancel(platform: Platform, work: Work, run: CronRun) -> None:
    now = utc_now()
    run.cancel_requested_at = run.cancel_requested_at or now
    if run.status == RunStatus.QUEUED:
        run.status, run.finished_at, run.error = RunStatus.CANCELLED.value, now, "It was cancelled before it began."
        await emit_finished(platform, work, run)
    work.after_commit(lambda: platform.bell.ring(run.id))


async def list_runs(
    work: Work, *, workload_id: str, limit: int, status: str = "", before: tuple[datetime, str] | None = None
) -> Sequence[RunOverview]:
    """Runs of a workload, the latest first, behind the one with this time and id."""
    query = _select().where(CronRun.workload_id == workload_id)
    if status:
        query = query.where(CronRun.status == status)
    if before is not None:
        query = query.where(tuple_(CronRun.scheduled_at, CronRun.id) < before)
    rows = await work.session.execute(query.order_by(CronRun.scheduled_at.desc(), CronRun.id.desc()).limit(limit))
    return [RunOverview(*row) for row in rows]


async def get_run(work: Work, *, service_id: str, run_id: str) -> RunOverview:
    """A run of a service; NotFound otherwise."""
    row = (await work.session.execute(_select().where(CronRun.id == run_id, CronRun.service_id == service_id))).first()
    if row is None:
        raise NotFound(f"The service has no run {run_id!r}.")
    return RunOverview(*row)


async def find_next_run(work: Work, workload: Workload) -> datetime | None:
    """When a workload runs next by its schedule; None for one that is stopped or has none."""
    if workload.wanted != "running" or workload.release_id is None:
        return None
    release = await work.session.get(Release, workload.release_id)
    settings = run_settings(release.run if release is not None else {})
    if not settings.schedule:
        return None
    return find_next_time(settings.schedule, settings.time_zone, after=utc_now())


def _select() -> Select[*tuple[Any, ...]]:
    return (
        select(CronRun, Environment.name, Release.number)
        .join(Workload, Workload.id == CronRun.workload_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .join(Release, Release.id == CronRun.release_id, isouter=True)
    )
