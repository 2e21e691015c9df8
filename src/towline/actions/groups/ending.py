"""Ending: all members and their group in one transaction, with what a success sets off or who was the cause."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from towline.actions.deployments.attempt import RUNNING
from towline.actions.deployments.cascade import request_cascade
from towline.actions.deployments.requests import end_waiting
from towline.actions.deployments.rollout import put_back
from towline.actions.deployments.waiting import OPEN, emit_group
from towline.actions.groups.candidates import forget_candidates
from towline.actions.groups.members import Crew, Member, side_by_side
from towline.actions.routes import publish_environment
from towline.errors import GroupFailed, TowlineError
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.services import Service
from towline.values import DeploymentStatus

_LOOK_SECONDS = 0.05
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a group ends with the old releases: an error, of one service (by id and name) or of none."""

    error: TowlineError | None = None
    service_id: str = ""
    service: str = ""
    deployment_id: str = ""

    @property
    def message(self) -> str:
        """The reason in one sentence, with the service that is the cause."""
        reason = self.error.message if self.error is not None else "It was cancelled."
        return f"{self.service}: {reason}" if self.service else reason

    def payload(self) -> dict[str, Any] | None:
        """As it is kept in the group's row; None for a group that somebody cancelled."""
        if self.error is None:
            return None
        facts = {"code": self.error.code, "message": self.message, "hint": self.error.hint}
        return {**facts, "service": self.service, "deployment": self.deployment_id}


async def succeed(crew: Crew) -> None:
    """Write the success of all, and ask for what follows it outside the group, in one transaction."""
    platform, deployments = crew.platform, [member.attempt.deployment for member in crew.members]
    for member in crew.members:
        await member.attempt.log.flush()
    async with platform.database.transaction() as work:
        if crew.members:
            job = crew.members[0].job
            await request_cascade(platform, work, job.project, job.environment, changed=deployments)
        for member in _in_lock_order(crew):
            await member.attempt.write_end(work, DeploymentStatus.SUCCESS)
        await _end_group(work, crew, DeploymentStatus.SUCCESS, None)


async def go_back(crew: Crew, cause: Cause, *, status: DeploymentStatus) -> None:
    """End the group with the old releases: nothing was switched, so what was started goes and what was stopped comes
    back."""
    platform = crew.platform
    await _stop_others(crew)
    await side_by_side(_put_back, crew.members)
    async with platform.database.transaction() as work:
        await forget_candidates(work, crew)
    try:
        await publish_environment(platform, crew.run.group.environment_id, confirm=False)
    except TowlineError as error:
        _log.warning("The routes of group %s are left to the next sweep: %s", crew.run.group.id, error)
    await _explain(crew, cause)
    async with platform.database.transaction() as work:
        for member in _in_lock_order(crew):
            await _write_bad_end(work, member, cause, status=status)
        await _end_group(work, crew, status, cause.payload())
    await platform.bell.ring("deployments")


async def find_cause(crew: Crew) -> Cause:
    """The member that ended first without success, as the cause of the group's end."""
    query = (
        select(Deployment, Service.name)
        .join(Service, Service.id == Deployment.service_id)
        .where(Deployment.group_id == crew.run.group.id, Deployment.status == DeploymentStatus.FAILED.value)
        .order_by(Deployment.finished_at)
        .limit(1)
    )
    async with crew.platform.database.transaction() as work:
        row = (await work.session.execute(query)).first()
    if row is None:
        return Cause()
    deployment, name = row.Deployment, row.name
    error: dict[str, Any] = deployment.error or {}
    failed = GroupFailed(error.get("message", "Its deployment failed."), hint=error.get("hint"))
    return Cause(failed, deployment.service_id, name, deployment.id)


def _in_lock_order(crew: Crew) -> list[Member]:
    return sorted(crew.members, key=lambda member: member.attempt.deployment.id)


async def _put_back(member: Member) -> None:
    try:
        await put_back(member.attempt, member.job)
    except TowlineError as problem:
        name = member.attempt.deployment.id
        _log.warning("Clean-up after deployment %s is left to reconciliation: %s", name, problem)


async def _explain(crew: Crew, cause: Cause) -> None:
    for member in crew.members:
        is_cause = member.id == cause.service_id and cause.error is not None
        if is_cause and cause.error is not None:
            await member.attempt.log.write(cause.error.message, level="error")
            await member.attempt.log.write(cause.error.hint)
        else:
            await member.attempt.log.write(f"Nothing was switched. {cause.message}", level="warning")
        await member.attempt.log.flush()


async def _write_bad_end(work: Work, member: Member, cause: Cause, *, status: DeploymentStatus) -> None:
    if cause.error is None:
        await member.attempt.write_end(work, status)
    elif member.id == cause.service_id:
        await member.attempt.write_end(work, DeploymentStatus.FAILED, error=cause.error)
    else:
        given_up = GroupFailed(f"Nothing was switched. {cause.message}")
        await member.attempt.write_end(work, DeploymentStatus.CANCELLED, error=given_up)


async def _end_group(work: Work, crew: Crew, status: DeploymentStatus, error: dict[str, Any] | None) -> None:
    run = crew.run
    is_success = status is DeploymentStatus.SUCCESS
    step = "done" if is_success else run.group.step
    await run.write(
        work, status=status.value, step=step, error=error, finished_at=utc_now(), lease_until=None, queue_reason=""
    )
    emit_group(run.platform, work, run.group, "group.completed" if is_success else "group.failed", progress=100)


async def _stop_others(crew: Crew) -> None:
    """End the members that wait, cancel those that are being built elsewhere, and wait until they have ended."""
    held = {member.attempt.deployment.id for member in crew.members}
    is_stopping = await _stop_once(crew, held)
    while is_stopping:
        await asyncio.sleep(_LOOK_SECONDS)
        is_stopping = await _stop_once(crew, held)


async def _stop_once(crew: Crew, held: set[str]) -> bool:
    """Whether some member still runs elsewhere."""
    platform = crew.platform
    query = (
        select(Deployment)
        .where(Deployment.group_id == crew.run.group.id, Deployment.status.in_(OPEN), Deployment.id.not_in(held))
        .order_by(Deployment.id)
        .with_for_update()
    )
    async with platform.database.transaction() as work:
        others = (await work.session.scalars(query)).all()
        for deployment in others:
            if not _is_held(deployment):
                end_waiting(platform, work, deployment, status=DeploymentStatus.CANCELLED, reason="Its group ended.")
            elif deployment.cancel_requested_at is None:
                deployment.cancel_requested_at = utc_now()
                _ring(crew, work, deployment.id)
        return any(deployment.status in RUNNING for deployment in others)


def _is_held(deployment: Deployment) -> bool:
    """Whether a worker builds it; one that was put down after this attempt began is held by nobody."""
    has_lease = deployment.lease_until is not None and deployment.lease_until > utc_now()
    return deployment.status in RUNNING and not deployment.is_built and has_lease


def _ring(crew: Crew, work: Work, deployment_id: str) -> None:
    work.after_commit(lambda: crew.platform.bell.ring(deployment_id))
