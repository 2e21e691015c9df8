"""The pipeline: one claimed deployment from its claim to its end, whatever happens."""

import asyncio
import contextlib
import logging
from datetime import timedelta

from towline.actions.deployments.attempt import Attempt
from towline.actions.deployments.cascade import request_cascade
from towline.actions.deployments.job import Job, load_job
from towline.actions.deployments.make import make_release
from towline.actions.deployments.resume import resume_switched
from towline.actions.deployments.rollout import prepare, put_back, roll_out
from towline.actions.deployments.waiting import find_failed_need
from towline.actions.environments import ensure_network
from towline.actions.logs import LogWriter
from towline.actions.platform import Platform
from towline.errors import (
    Cancelled,
    DependencyFailed,
    DiskFull,
    FenceLost,
    RepeatedlyInterrupted,
    RouterUnavailable,
    TowlineError,
    Unavailable,
    UnexpectedError,
)
from towline.models.deployments import Deployment
from towline.values import DeploymentStatus

MOST_ATTEMPTS = 6
"""How often a deployment or group is begun before its interruptions count as its fault."""

_LONGEST_PAUSE_SECONDS = 16
_log = logging.getLogger(__name__)


async def run_deployment(platform: Platform, deployment: Deployment, register: "dict[str, Attempt]") -> None:
    """Run a claimed deployment to its end; `register` holds it meanwhile, so that it can be nudged."""
    pause = timedelta()
    async with (
        LogWriter(platform, deployment.id, project_id=deployment.project_id) as log,
        Attempt(platform, deployment, log) as attempt,
    ):
        register[deployment.id] = attempt
        try:
            await _run_to_its_end(attempt)
        except FenceLost as error:
            _log.info("%s", error)
        except Unavailable as error:
            pause = await _hand_back(attempt, error)
        finally:
            register.pop(deployment.id, None)
    if pause:
        await asyncio.sleep(pause.total_seconds())
        await platform.bell.ring("deployments")


async def _hand_back(attempt: Attempt, error: Unavailable) -> timedelta:
    """Leave the deployment to its next attempt, which begins after the returned pause."""
    pause = pause_after(attempt.deployment.attempt)
    _log.warning("Deployment %s goes on in %g s: %s", attempt.deployment.id, pause.total_seconds(), error)
    reason = f"{error.message} Trying again in {pause.total_seconds():g} s."
    await attempt.log.write(reason, level="warning")
    with contextlib.suppress(FenceLost):
        await attempt.hand_back(after=pause, reason=reason)
    return pause


def is_passing(error: TowlineError, *, attempt: int) -> bool:
    """Whether PostgreSQL or Docker was lost and may be back soon; the router has had its tries already.

    A full disk does not pass by itself.
    """
    is_lost = isinstance(error, Unavailable) and not isinstance(error, RouterUnavailable | DiskFull) and error.retryable
    return is_lost and attempt < MOST_ATTEMPTS


def pause_after(attempt: int) -> timedelta:
    """How long the next attempt waits."""
    return timedelta(seconds=min(2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS))


async def _run_to_its_end(attempt: Attempt) -> None:
    async with attempt.platform.database.transaction() as work:
        job = await load_job(work, attempt.deployment.workload_id)
        missing = await find_failed_need(work, attempt.deployment)
    try:
        await attempt.carry_out(_steps(attempt, job, missing=missing))
    except FenceLost:
        raise
    except Cancelled as error:
        await attempt.log.write(error.message, level="warning")
        await _end_badly(attempt, job, error, status=attempt.cancel_status)
    except TowlineError as error:
        if is_passing(error, attempt=attempt.deployment.attempt):
            raise
        await _explain(attempt, error)
        await _end_badly(attempt, job, error)
    except Exception as error:
        _log.exception("Deployment %s failed unexpectedly", attempt.deployment.id)
        unexpected = UnexpectedError.of(error)
        await _explain(attempt, unexpected)
        await _end_badly(attempt, job, unexpected)


async def _steps(attempt: Attempt, job: Job, *, missing: str) -> None:
    if attempt.deployment.attempt > 1:
        await attempt.log.write(f"Attempt {attempt.deployment.attempt}: the one before was interrupted.")
    if attempt.deployment.attempt > MOST_ATTEMPTS:
        raise RepeatedlyInterrupted(
            f"The deployment was interrupted {MOST_ATTEMPTS} times, at last in the step {attempt.deployment.step}."
        )
    if missing:
        raise DependencyFailed(missing)
    release = await make_release(attempt, job)
    if attempt.deployment.group_id is not None:
        await attempt.put_down(reason="Waiting for the other services of the group.")
        await attempt.platform.bell.ring("deployments")
        return
    await ensure_network(attempt.platform, job.environment, job.project)
    rollout = await prepare(attempt, job, release)
    if attempt.deployment.switched_at is not None:
        await resume_switched(rollout)
    else:
        await roll_out(rollout)
    await _succeed(attempt, job)
    await attempt.platform.bell.ring("deployments")


async def _succeed(attempt: Attempt, job: Job) -> None:
    """Write the success together with what it sets off, in the order in which others lock: workloads first."""
    await attempt.log.flush()
    async with attempt.platform.database.transaction() as work:
        await request_cascade(attempt.platform, work, job.project, job.environment, changed=[attempt.deployment])
        await attempt.write_end(work, DeploymentStatus.SUCCESS)


async def _explain(attempt: Attempt, error: TowlineError) -> None:
    await attempt.log.write(error.message, level="error")
    await attempt.log.write(error.hint)


async def _end_badly(
    attempt: Attempt, job: Job, error: TowlineError, *, status: DeploymentStatus = DeploymentStatus.FAILED
) -> None:
    """Remove what was started, bring back what was stopped, then write the end."""
    try:
        await put_back(attempt, job)
    except (Unavailable, TowlineError) as problem:
        _log.warning("Clean-up after deployment %s is left to reconciliation: %s", attempt.deployment.id, problem)
    is_reason_told = status is DeploymentStatus.FAILED
    await attempt.finish(status, error=error if is_reason_told else None)
    await attempt.platform.bell.ring("deployments")
