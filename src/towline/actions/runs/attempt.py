"""Attempt: one worker's hold on one run; claim, lease, fence, cancel, and how it ends."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, text, update
from sqlalchemy.orm import aliased

from towline.actions.events import emit
from towline.actions.logs import LogWriter
from towline.actions.platform import Platform
from towline.actions.runs.telling import emit_finished, emit_started
from towline.errors import Cancelled, FenceLost, Unavailable
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


class RunAttempt:
    """A claimed run. Every write names the attempt it belongs to; zero rows means another worker took over."""

    def __init__(self, platform: Platform, run: CronRun, log: LogWriter) -> None:
        self.platform = platform
        self.run = run
        self.log = log
        self.is_cancelled = False
        self.is_fence_lost = False
        self._job: asyncio.Task[Any] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_lease(), name=f"lease {self.run.id}")
        return self

    async def __aexit__(self, *_: object) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])

    async def carry_out(self, steps: Coroutine[Any, Any, T]) -> T:
        """Run the steps; Cancelled when someone cancelled meanwhile, FenceLost when another worker took over."""
        self._job = asyncio.create_task(steps, name=f"run {self.run.id}")
        try:
            return await self._job
        except asyncio.CancelledError:
            if not self._job.cancelled():
                self._job.cancel()
                await asyncio.wait([self._job])
                raise
            if self.is_fence_lost:
                raise self._fence_lost() from None
            if self.is_cancelled:
                raise Cancelled("The run was cancelled.") from None
            raise
        finally:
            self._job = None

    def nudge(self) -> None:
        """Look at the row now: someone may have cancelled."""
        self._nudge.set()

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
                raise self._fence_lost()
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

    def _fence_lost(self) -> FenceLost:
        return FenceLost(f"The run {self.run.id} was taken over by another worker.")

    async def _keep_lease(self) -> None:
        """Renew the lease; stop the job when the fence is lost, the lease ran out unrenewed, or someone cancelled."""
        renewed_at = utc_now()
        while not self.is_fence_lost:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.platform.settings.lease.total_seconds() / 3):
                    await self._nudge.wait()
            self._nudge.clear()
            renewed_at = await self._renew(renewed_at)
            # Once only: a program that was told to end has its grace, and the lease is kept meanwhile.
            if self._job is not None and not self._job.cancelling() and (self.is_fence_lost or self.is_cancelled):
                self._job.cancel()

    async def _renew(self, renewed_at: datetime) -> datetime:
        lease = self.platform.settings.lease
        statement = update(CronRun).where(self._mine()).values(lease_until=func.now() + lease)
        try:
            async with self.platform.database.transaction() as work:
                row = (await work.session.execute(statement.returning(CronRun.cancel_requested_at))).first()
        except Unavailable as error:
            _log.warning("The lease of the run %s could not be renewed: %s", self.run.id, error)
            self.is_fence_lost = utc_now() - renewed_at > lease
            return renewed_at
        self.is_fence_lost = row is None
        self.is_cancelled = row is not None and row[0] is not None
        return utc_now()


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
