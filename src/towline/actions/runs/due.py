"""What is due: the conductor asks for runs when their time has come, and once for those that were missed."""

from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, DateTime, Select, bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert

from towline.actions.platform import Platform
from towline.actions.runs.telling import emit_finished
from towline.actions.schedules import find_due_time, find_next_time
from towline.actions.settings import RunSettings, run_settings
from towline.infra.database import Work
from towline.infra.reads import Read
from towline.models.base import utc_now
from towline.models.deployments import Release
from towline.models.runs import CronRun
from towline.models.services import Service, Workload
from towline.names import new_id
from towline.runs import OPEN_RUN_STATUSES, RunStatus, RunTrigger
from towline.values import ServiceType

_AT_ONCE = 200


async def ask_due_runs(platform: Platform, *, now: datetime | None = None) -> int:
    """Ask for every run that is due; how many there were, skipped ones included.

    A time is never asked for twice: the unique key of workload and time decides, whoever asks.
    """
    now = now or utc_now()
    if not await _first().fetch(platform.database, now=now):  # asked each second, so it has to cost little
        return 0
    query = _due().limit(_AT_ONCE).with_for_update(skip_locked=True, of=Workload)
    asked = 0
    async with platform.database.transaction() as work:
        for workload, release in (await work.session.execute(query, {"now": now})).all():
            settings = run_settings(release.run)
            if workload.next_run_at is not None and workload.next_run_at <= now:
                asked += await _ask(platform, work, workload, settings, now=now)
            workload.next_run_release_id = workload.release_id
            workload.next_run_at = find_next_time(settings.schedule, settings.time_zone, after=now)
    return asked


@cache
def _first() -> Read:
    return Read(_due().with_only_columns(Workload.id).limit(1))


@cache
def _due() -> Select[Workload, Release]:
    return (
        select(Workload, Release)
        .join(Service, Service.id == Workload.service_id)
        .join(Release, Release.id == Workload.release_id)
        .where(Service.type == ServiceType.CRON.value, Service.deleted_at.is_(None), Workload.wanted == "running")
        .where(or_(_is_of_another_release(), Workload.next_run_at <= bindparam("now", type_=DateTime(timezone=True))))
        .order_by(Workload.id)
    )


def _is_of_another_release() -> ColumnElement[bool]:
    """Whether the time was found by a schedule that is not the present one; null for one that never comes again."""
    return Workload.next_run_release_id.is_distinct_from(Workload.release_id)


async def _ask(platform: Platform, work: Work, workload: Workload, settings: RunSettings, *, now: datetime) -> int:
    since = workload.next_run_at or now
    due = find_due_time(
        settings.schedule, settings.time_zone, since=since, now=now, lateness=platform.settings.cron_lateness
    )
    if due is None and workload.next_run_release_id != workload.release_id:
        return 0
    reason = "" if due is not None else "Towline did not run when it was due, and it is too late to make up for it."
    if due is not None and await find_open_run(work, workload.id) is not None:
        reason = "The run before had not ended."
    values = {
        "id": new_id("run"),
        "created_at": now,
        "project_id": workload.project_id,
        "service_id": workload.service_id,
        "workload_id": workload.id,
        "release_id": workload.release_id,
        "scheduled_at": due or since,
        "trigger": RunTrigger.SCHEDULE.value,
        "status": RunStatus.SKIPPED.value if reason else RunStatus.QUEUED.value,
        "error": reason,
        "finished_at": now if reason else None,
    }
    statement = insert(CronRun).values(values).on_conflict_do_nothing().returning(CronRun)
    run = (await work.session.scalars(statement)).one_or_none()
    if run is None:
        return 0
    if reason:
        await emit_finished(platform, work, run)
    else:
        work.after_commit(lambda: platform.bell.ring("deployments"))
    return 1


async def find_open_run(work: Work, workload_id: str) -> CronRun | None:
    """The run of a workload that has not ended."""
    query = select(CronRun).where(CronRun.workload_id == workload_id, CronRun.status.in_(OPEN_RUN_STATUSES))
    return (await work.session.scalars(query.limit(1))).first()
