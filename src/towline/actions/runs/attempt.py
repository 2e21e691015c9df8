"""Attempt: one worker's hold on one run; claim, lease, fence, cancel, and how it ends."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, text, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from towline.actions.events import emit
from towline.actions.hold import Hold
from towline.actions.logs import LogWriter
from towline.actions.platform import Platform
from towline.actions.runs.telling import emit_finished, emit_started
from towline.errors import Unavailable
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.runs import CronRun
from towline.models.services import Workload
from towline.runs import RunStatus
from towline.values import HealthStatus

T = TypeVar("T")
_RETRY_SECONDS = 0.5
_RUNNING = RunStatus.RUNNING.value
_log = logging.getLogger(__name__)


async def claim_next_run(platform: Platform) -> CronRun | None:
    """Take the next run: one whose worker fell silent first, then the oldest of the project with the fewest."""
    async with platform.database.transaction() as work:
        run = (await work.session.scalars(_claimable())).first()
        if run is None:
            return None
        run.attempt += 1
        run.worker = platform.worker_name
        run.lease_until = func.now() + platform.settings.lease
        if run.status == RunStatus.QUEUED:
            current = await work.session.scalar(select(Workload.release_id).where(Workload.id == run.workload_id))
            run.status, run.started_at, run.release_id = _RUNNING, utc_now(), current or run.release_id
            await emit_started(platform, work, run)
        await work.session.flush()
        await work.session.refresh(run)
    return run


@cache
def _claimable() -> Select[CronRun]:
    """Built once, like the same of deployments."""
    other = aliased(CronRun)
    busy = select(func.count()).where(other.project_id == CronRun.project_id, other.status == _RUNNING)
    is_abandoned = and_(CronRun.status == _RUNNING, CronRun.lease_until < func.now())
    return (
        select(CronRun)
        .where(or_(is_abandoned, CronRun.status == RunStatus.QUEUED.value))
        .order_by(CronRun.status == RunStatus.QUEUED.value, busy.scalar_subquery(), CronRun.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


class RunAttempt(Hold):
    """A claimed run. Every write names the attempt it belongs to; zero rows means another worker took over."""

    cancels_once = True  # a program that was told to end has its grace, and the lease is kept meanwhile

    def __init__(self, platform: Platform, run: CronRun, log: LogWriter) -> None:
        super().__init__(platform, run.id, title="The run")
        self.run = run
        self.log = log

    async def finish(self, status: RunStatus, *, exit_code: int | None = None, error: str = "") -> None:
        """Write the end behind the last line of the log; tried until the database takes it or another worker did it."""
        await self.log.flush()
        values = {"status": status.value, "exit_code": exit_code, "error": self.log.masker.mask(error)}
        while True:
            try:
                return await self._write_end(status, values)
            except Unavailable as problem:
                _log.warning("The end of the run %s is not written yet: %s", self.run.id, problem)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _write_end(self, status: RunStatus, values: Mapping[str, Any]) -> None:
        """In one transaction: how it ended, what that says of the service's health, and the events."""
        async with self.platform.database.transaction() as work:
            # The workload first, as everyone locks it before what belongs to it.
            query = select(Workload).where(Workload.id == self.run.workload_id).with_for_update()
            workload = (await work.session.scalars(query)).one()
            ended = {**values, "finished_at": utc_now(), "lease_until": None}
            statement = update(CronRun).where(self._mine()).values(ended).returning(CronRun)
            run = (await work.session.scalars(statement)).one_or_none()
            if run is None:
                raise self.fence_lost()
            if status in {RunStatus.SUCCESS, RunStatus.FAILED}:
                self._tell_health(work, workload, error=run.error)
            await emit_finished(self.platform, work, run)

    def _tell_health(self, work: Work, workload: Workload, *, error: str) -> None:
        """The last run stands for the health of a cron service."""
        was, now = workload.health, HealthStatus.UNHEALTHY if error else HealthStatus.HEALTHY
        workload.health, workload.health_error, workload.health_at = now.value, error, utc_now()
        if was != now:
            data = {"status": now.value, "was": was, "error": error, "environmentId": workload.environment_id}
            place = {"project_id": workload.project_id, "service_id": workload.service_id}
            emit(self.platform, work, "service.health", **place, data=data)

    def _mine(self) -> ColumnElement[bool]:
        return and_(CronRun.id == self.run.id, CronRun.attempt == self.run.attempt, CronRun.status == _RUNNING)

    def _renewal(self) -> ReturningUpdate[datetime | None]:
        lease_until = func.now() + self.platform.settings.lease
        return (
            update(CronRun).where(self._mine()).values(lease_until=lease_until).returning(CronRun.cancel_requested_at)
        )

    def _note(self, row: Row[*tuple[Any, ...]]) -> None:
        self.is_cancelled = row[0] is not None


async def expire_dead_run_leases(platform: Platform, *, host: str, live_workers: frozenset[str]) -> None:
    """End the leases on runs of this host's workers that are no longer running."""
    is_dead = CronRun.worker.startswith(f"{host}:", autoescape=True) & CronRun.worker.not_in(live_workers)
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(CronRun)
            .where(CronRun.status == _RUNNING, is_dead)
            .values(lease_until=text("now() - interval '1 second'"))
        )


async def release_run_leases(platform: Platform, worker: str) -> None:
    """Let other workers end at once the runs that this worker holds; called when it stops."""
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(CronRun).where(CronRun.worker == worker, CronRun.status == _RUNNING).values(lease_until=func.now())
        )
    await platform.bell.ring("deployments")
