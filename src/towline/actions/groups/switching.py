"""Switching: one transaction and one publication for all members, and the way back when the router does not take it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy import select

from towline.actions.deployments.rollout import (
    Rollout,
    decide_switch,
    publish_persistently,
    retire,
    undo_switch,
)
from towline.actions.groups.candidates import forget_candidates
from towline.actions.groups.members import Crew, side_by_side
from towline.actions.routes import publish_environment
from towline.errors import Cancelled, DiskFull, TowlineError
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.groups import Group
from towline.models.services import Workload
from towline.values import Instance, Step


async def switch_together(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """Send requests to the new instances of every member at once: rows first, then the routes, confirmed.

    When the router does not take them, everything is put back as it was, at once too.
    """
    await _enter_switch(crew, rollouts)
    async with crew.platform.database.transaction() as work:
        await _decide(work, crew, rollouts)
    try:
        await _publish(crew)
    except TowlineError:
        await _undo(crew, rollouts)
        raise


async def switch_again(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """Publish a switch that was decided before: new instances are added to it, and it is never taken back."""
    await _enter_switch(crew, rollouts)
    async with crew.platform.database.transaction() as work:
        await _decide(work, crew, rollouts)
    await _publish(crew)


async def retire_all(crew: Crew, rollouts: Mapping[str, Rollout], *, gone: Mapping[str, Sequence[Instance]]) -> None:
    """Drain and remove the old instances of every member, side by side."""
    await crew.run.enter(Step.RETIRE.value, progress=95)

    async def one(service_id: str) -> None:
        rollout = rollouts[service_id]
        await retire(rollout, [*rollout.old, *gone.get(service_id, ())])
        await rollout.attempt.log.write("Done.")

    await side_by_side(one, list(rollouts), at_once=len(rollouts) or 1)


async def _enter_switch(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    await crew.run.enter(Step.SWITCH.value, progress=85)

    async def one(rollout: Rollout) -> None:
        await rollout.attempt.enter(Step.SWITCH)
        for instance in rollout.started:
            await crew.platform.orchestrator.keep_running(instance)

    await side_by_side(one, list(rollouts.values()))


async def _decide(work: Work, crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """In the order in which everyone locks: workloads by id, their deployments, then the group."""
    ordered = sorted(rollouts.values(), key=lambda rollout: rollout.job.workload.id)
    ids = [rollout.job.workload.id for rollout in ordered]
    await work.session.execute(select(Workload.id).where(Workload.id.in_(ids)).order_by(Workload.id).with_for_update())
    for rollout in ordered:
        await decide_switch(work, rollout, retiring=rollout.old)
    await forget_candidates(work, crew)
    row = (
        await work.session.execute(
            select(Group.cancel_requested_at, Group.switched_at).where(Group.id == crew.run.group.id).with_for_update()
        )
    ).one()
    if row.cancel_requested_at is not None and row.switched_at is None:
        raise Cancelled(f"Group {crew.run.group.number} was cancelled.")
    await crew.run.write(work, switched_at=row.switched_at or utc_now())


async def _publish(crew: Crew) -> None:
    logs = [member.attempt.log for member in crew.members]
    await publish_persistently(crew.platform, crew.run.group.environment_id, logs)


async def _undo(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    ordered = sorted(rollouts.values(), key=lambda rollout: rollout.job.workload.id)
    ids = [rollout.job.workload.id for rollout in ordered]
    async with crew.platform.database.transaction() as work:
        await work.session.execute(
            select(Workload.id).where(Workload.id.in_(ids)).order_by(Workload.id).with_for_update()
        )
        for rollout in ordered:
            await undo_switch(work, rollout.attempt, rollout.job)
        await crew.run.write(work, switched_at=None)
    with suppress(DiskFull):
        await publish_environment(crew.platform, crew.run.group.environment_id, confirm=False)
