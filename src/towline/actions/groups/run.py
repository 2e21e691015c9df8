"""Running a group: one claimed group from its claim to its end, whatever happens."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

from towline.actions.deployments.make import make_release
from towline.actions.deployments.pipeline import MOST_ATTEMPTS, is_passing, pause_after
from towline.actions.deployments.resume import make_whole
from towline.actions.deployments.rollout import Rollout
from towline.actions.environments import ensure_network
from towline.actions.graph.decision import Decision
from towline.actions.groups.attempt import Claimed, GroupAttempt, decide_on
from towline.actions.groups.candidates import announce
from towline.actions.groups.ending import Cause, find_cause, go_back, succeed
from towline.actions.groups.members import Crew, Member, assemble, prepare_all, side_by_side
from towline.actions.groups.starting import MemberFailed, start_all
from towline.actions.groups.switching import retire_all, switch_again, switch_together
from towline.actions.platform import Platform
from towline.errors import (
    Cancelled,
    FenceLost,
    RepeatedlyInterrupted,
    TowlineError,
    Unavailable,
    UnexpectedError,
)
from towline.values import DeploymentStatus, Instance, Step

_log = logging.getLogger(__name__)


async def run_group(platform: Platform, claimed: Claimed, register: "dict[str, GroupAttempt]") -> None:
    """Run a claimed group as far as it gets; `register` holds it meanwhile, so that it can be nudged."""
    pause = timedelta()
    async with AsyncExitStack() as stack, GroupAttempt(platform, claimed) as run:
        register[claimed.group.id] = run
        try:
            crew = await assemble(run, claimed, stack)
            await _run_to_its_end(crew, claimed)
        except FenceLost as error:
            _log.info("%s", error)
        except Unavailable as error:
            pause = await _hand_back(run, error)
        finally:
            register.pop(claimed.group.id, None)
    if pause:
        await asyncio.sleep(pause.total_seconds())
    await platform.bell.ring("deployments")


async def _run_to_its_end(crew: Crew, claimed: Claimed) -> None:
    decision = decide_on(claimed.group, claimed.deployments)
    if decision is Decision.FORWARD:
        return await crew.run.carry_out(_go_forward(crew))
    if decision is Decision.BACK:
        return await go_back(crew, await find_cause(crew), status=await _bad_end(crew))
    cause = await _find_failure(crew)
    if cause is not None:
        is_cancelled = cause.error is None
        status = DeploymentStatus(crew.run.group.cancel_status) if is_cancelled else DeploymentStatus.FAILED
        await go_back(crew, cause, status=status)
    return None


async def _find_failure(crew: Crew) -> Cause | None:
    """Start and switch; None when that went well, else why it did not. What may pass by itself is raised."""
    try:
        await crew.run.carry_out(_start_and_switch(crew))
    except FenceLost:
        raise
    except Cancelled:
        return Cause()
    except MemberFailed as failed:
        return _cause_of(crew, failed.error, service_id=failed.service_id)
    except TowlineError as error:
        return _cause_of(crew, error)
    except Exception as error:
        _log.exception("Group %s failed unexpectedly", crew.run.group.id)
        return Cause(UnexpectedError.of(error))
    return None


async def _start_and_switch(crew: Crew) -> None:
    run = crew.run
    if run.group.attempt > MOST_ATTEMPTS:
        raise RepeatedlyInterrupted(
            f"The group was interrupted {MOST_ATTEMPTS} times, at last in the step {run.group.step}."
        )
    await _make_releases(crew)
    await run.enter(Step.START.value, progress=55)
    await _ensure_networks(crew)
    rollouts = await prepare_all(crew)
    await announce(crew, rollouts)
    await start_all(crew, rollouts)
    await switch_together(crew, rollouts)
    await _finish(crew, rollouts, {})


async def _make_releases(crew: Crew) -> None:
    """Make the releases of members that had nothing to be built; MemberFailed for the first that cannot be had."""

    async def one(member: Member) -> None:
        try:
            member.made = await make_release(member.attempt, member.job)
        except TowlineError as error:
            raise MemberFailed(member.id, error) from error

    await side_by_side(one, [member for member in crew.members if member.made is None])


async def _go_forward(crew: Crew) -> None:
    """The switch is decided: what is missing of the new releases is started, what can be published is, the old goes.

    What cannot be brought about now is left to the reconciler, which knows the new releases as the wanted ones.
    """
    await _ensure_networks(crew)
    rollouts = await prepare_all(crew)

    async def one(member: Member) -> Sequence[Instance]:
        try:
            return await make_whole(rollouts[member.id])
        except TowlineError as error:
            if is_passing(error, attempt=crew.run.group.attempt):
                raise
            await member.attempt.log.write(f"{error.message} It is left to reconciliation.", level="warning")
            return ()

    gone = await side_by_side(one, crew.members)
    try:
        await switch_again(crew, rollouts)
    except Unavailable:
        if crew.run.group.attempt < MOST_ATTEMPTS:
            raise
    await _finish(crew, rollouts, {member.id: found for member, found in zip(crew.members, gone, strict=True)})


async def _finish(crew: Crew, rollouts: Mapping[str, Rollout], gone: Mapping[str, Sequence[Instance]]) -> None:
    await retire_all(crew, rollouts, gone=gone)
    await succeed(crew)


async def _ensure_networks(crew: Crew) -> None:
    """One network, whose name and subnet every member's rows then know."""
    if not crew.members:
        return
    job = crew.members[0].job
    environment = await ensure_network(crew.platform, job.environment, job.project)
    for member in crew.members:
        member.job.environment.network, member.job.environment.subnet = environment.network, environment.subnet


async def _hand_back(run: GroupAttempt, error: Unavailable) -> timedelta:
    """Leave the group to its next attempt, which begins after the returned pause."""
    pause = pause_after(run.group.attempt)
    _log.warning("Group %s goes on in %g s: %s", run.group.id, pause.total_seconds(), error)
    reason = f"{error.message} Trying again in {pause.total_seconds():g} s."
    with contextlib.suppress(FenceLost, Unavailable):
        await run.hand_back(after=pause, reason=reason)
    return pause


async def _bad_end(crew: Crew) -> DeploymentStatus:
    group = crew.run.group
    if group.cancel_requested_at is not None:
        return DeploymentStatus(group.cancel_status)
    return DeploymentStatus.FAILED if (await find_cause(crew)).error is not None else DeploymentStatus.CANCELLED


def _cause_of(crew: Crew, error: TowlineError, *, service_id: str = "") -> Cause:
    if is_passing(error, attempt=crew.run.group.attempt):
        raise error
    for member in crew.members:
        if member.id == service_id:
            return Cause(error, member.id, member.name, member.attempt.deployment.id)
    return Cause(error)
