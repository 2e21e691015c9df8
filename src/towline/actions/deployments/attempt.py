"""Attempt: one worker's hold on one deployment; claim, lease, fence, cancel, and how it ends. Nothing else."""

import asyncio
import logging
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Row, Select, Subquery, and_, bindparam, exists, func, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from towline.actions.deployments.progress import emit_progress
from towline.actions.deployments.waiting import begin_group, is_held_up
from towline.actions.hold import Hold
from towline.actions.logs import LogWriter
from towline.actions.platform import Platform
from towline.errors import TowlineError, Unavailable
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.values import DeploymentStatus, Step

RUNNING = (DeploymentStatus.BUILDING.value, DeploymentStatus.DEPLOYING.value)
_BUILDING_STEPS = frozenset({Step.WAIT, Step.FETCH, Step.BUILD})
_RETRY_SECONDS = 0.25
_KEPT_FOR_OTHERS = 4  # one in so many places of a worker is never for the project that has all the others
T = TypeVar("T")
_log = logging.getLogger(__name__)


async def claim_next(platform: Platform) -> Deployment | None:
    """Take the next deployment that may run: one whose worker fell silent first, then the oldest queued.

    Projects take turns, and none gets all places of a worker. None when there is none, or when another worker was
    faster. All times are the database's, since workers' clocks may differ.
    """
    try:
        async with platform.database.transaction() as work:
            deployment = await _select_claimable(platform, work)
            if deployment is None:
                return None
            deployment.attempt += 1
            deployment.worker = platform.worker_name
            deployment.lease_until = func.now() + platform.settings.lease
            deployment.started_at = deployment.started_at or utc_now()
            deployment.queue_reason = ""
            if deployment.status == DeploymentStatus.QUEUED:
                deployment.status = DeploymentStatus.BUILDING.value
            if deployment.group_id is not None:
                await begin_group(platform, work, deployment.group_id)
            await work.session.flush()
            emit_progress(platform, work, deployment)
    except IntegrityError:
        return None
    return deployment


async def _select_claimable(platform: Platform, work: Work) -> Deployment | None:
    places = platform.settings.deploy_concurrency
    values = {"worker": platform.worker_name, "fair_places": places - places // _KEPT_FOR_OTHERS}
    return (await work.session.scalars(_claimable(), values)).first()


@cache
def _claimable() -> Select[Deployment]:
    """Built once: at every ring of the bell it would take longer than its answer. Asks for `worker`, `fair_places`."""
    other = aliased(Deployment)
    is_taken = exists().where(other.workload_id == Deployment.workload_id, other.status.in_(RUNNING))
    is_due = or_(Deployment.not_before.is_(None), Deployment.not_before <= func.now())
    is_waiting = and_(Deployment.status == DeploymentStatus.QUEUED.value, is_due, ~is_taken, ~is_held_up())
    is_waiting = and_(is_waiting, ~Deployment.is_built)
    # A built member of a group is claimed with its group.
    is_abandoned = and_(Deployment.status.in_(RUNNING), ~Deployment.is_built, Deployment.lease_until < func.now())
    runs = _count_runs()
    is_fair = func.coalesce(runs.c.here, 0) < bindparam("fair_places")
    return (
        select(Deployment)
        .outerjoin(runs, runs.c.project_id == Deployment.project_id)
        .where(or_(is_abandoned, and_(is_waiting, is_fair)))
        .order_by(
            Deployment.status == DeploymentStatus.QUEUED.value,
            func.coalesce(runs.c.everywhere, 0),
            Deployment.created_at,
        )
        .limit(1)
        .with_for_update(skip_locked=True, of=Deployment)
    )


def _count_runs() -> Subquery:
    """How many deployments run of each project that has some, with `worker` and with all."""
    running = aliased(Deployment)
    return (
        select(
            running.project_id,
            func.count().label("everywhere"),
            func.count().filter(running.worker == bindparam("worker")).label("here"),
        )
        .where(running.status.in_(RUNNING), ~running.is_built)
        .group_by(running.project_id)
        .subquery()
    )


class Attempt(Hold):
    """A claimed deployment. Every write names the attempt it belongs to; zero rows means another worker took over."""

    def __init__(self, platform: Platform, deployment: Deployment, log: LogWriter) -> None:
        super().__init__(platform, deployment.id, title=f"Deployment {deployment.number}")
        self.deployment = deployment
        self.log = log
        self.cancel_status = DeploymentStatus.CANCELLED
        self._steps: list[dict[str, Any]] = list(deployment.steps)

    async def enter(self, step: Step, *, note: str = "", **values: Any) -> None:
        """Begin a step: recorded with its time, told as an event, conditional on the fence."""
        await self.record(**self.begin_step(step, note=note), **values)

    def begin_step(self, step: Step, *, note: str = "") -> dict[str, Any]:
        """Begin a step that the caller records with what is returned."""
        now = utc_now()
        self._close_step(now)
        self._steps.append({"step": step.value, "started_at": now.isoformat(), "finished_at": None, "note": note})
        status = DeploymentStatus.BUILDING if step in _BUILDING_STEPS else DeploymentStatus.DEPLOYING
        return {"status": status.value, "step": step.value, "steps": list(self._steps)}

    def end_step(self) -> None:
        """Note that the step is over before the next begins; it is recorded with that one."""
        self._close_step(utc_now())

    async def record(self, *, is_told: bool = True, **values: Any) -> None:
        """Write facts about this deployment; FenceLost when another worker has taken it over."""
        async with self.platform.database.transaction() as work:
            await self.write(work, is_told=is_told, **values)

    async def write(self, work: Work, *, is_told: bool = True, **values: Any) -> None:
        """The same inside a transaction of the caller's."""
        mine = and_(
            Deployment.id == self.deployment.id,
            Deployment.attempt == self.deployment.attempt,
            Deployment.status.in_(RUNNING),
        )
        facts = {"attempt": self.deployment.attempt, **values}
        statement = update(Deployment).where(mine).values(facts).returning(Deployment)
        row = (await work.session.scalars(statement, execution_options={"populate_existing": True})).one_or_none()
        if row is None:
            raise self.fence_lost()
        # Kept apart from the session: a rollback of this transaction would leave an object that cannot be read.
        work.session.expunge(row)
        self.deployment = row
        if is_told:
            emit_progress(self.platform, work, row)

    async def hand_back(self, *, after: timedelta, reason: str) -> None:
        """Let the next attempt begin after a while; tried until the database takes it, or the lease is over anyway."""
        await self.let_go()
        ends_at = utc_now() + self.platform.settings.lease
        while utc_now() < ends_at:
            try:
                await self.record(lease_until=func.now() + after, queue_reason=self.log.masker.mask(reason))
            except Unavailable:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def finish(self, status: DeploymentStatus, *, error: TowlineError | None = None) -> None:
        """Write the end, behind the last line of the log."""
        await self.log.flush()
        async with self.platform.database.transaction() as work:
            await self.write_end(work, status, error=error)

    async def put_down(self, *, reason: str) -> None:
        """Leave a built member of a group to its group, without a lease; `reason` says what it waits for."""
        await self.log.flush()
        await self.let_go()
        self._close_step(utc_now())
        await self.record(
            is_built=True, steps=list(self._steps), step=Step.WAIT.value, queue_reason=reason, lease_until=None
        )

    async def write_end(self, work: Work, status: DeploymentStatus, *, error: TowlineError | None = None) -> None:
        """Write the end inside a transaction of the caller's; the reason is masked like every line."""
        now = utc_now()
        self._close_step(now)
        values: dict[str, Any] = {"error": None if error is None else self._error_payload(error)}
        if status is DeploymentStatus.SUCCESS:
            values["step"] = Step.DONE.value
        await self.write(
            work,
            status=status.value,
            steps=list(self._steps),
            finished_at=now,
            lease_until=None,
            queue_reason="",
            **values,
        )

    def _error_payload(self, error: TowlineError) -> dict[str, Any]:
        mask = self.log.masker.mask
        return {"code": error.code, "message": mask(error.message), "hint": mask(error.hint), "field": error.field}

    def _close_step(self, now: datetime) -> None:
        if not self._steps or self._steps[-1]["finished_at"] is not None:
            return
        last = dict(self._steps[-1])
        last["finished_at"] = now.isoformat()
        last["seconds"] = round((now - datetime.fromisoformat(last["started_at"])).total_seconds(), 3)
        self._steps[-1] = last

    def _renewal(self) -> ReturningUpdate[datetime | None, datetime | None, str]:
        mine = and_(Deployment.id == self.deployment.id, Deployment.attempt == self.deployment.attempt)
        return (
            update(Deployment)
            .where(mine, Deployment.status.in_(RUNNING))
            .values(lease_until=func.now() + self.platform.settings.lease)
            .returning(Deployment.cancel_requested_at, Deployment.switched_at, Deployment.cancel_status)
        )

    def _note(self, row: Row[*tuple[Any, ...]]) -> None:
        cancelled_at, switched_at, status = row
        self.is_cancelled = cancelled_at is not None and switched_at is None
        self.cancel_status = DeploymentStatus(status)


async def expire_dead_leases(platform: Platform, *, host: str, live_workers: frozenset[str]) -> None:
    """End the leases of this host's workers that are no longer running, so that their work is taken over at once."""
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(Deployment)
            .where(Deployment.status.in_(RUNNING), Deployment.worker.startswith(f"{host}:", autoescape=True))
            .where(Deployment.worker.not_in(live_workers))
            .values(lease_until=text("now() - interval '1 second'"))
        )
