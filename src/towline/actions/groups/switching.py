"""Switching: one transaction and one publication for all members, and the way back when the router does not take it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import select, update

from towline.actions.deployments.rollout import Rollout, publish_persistently, retire, save_served, undo_switch
from towline.actions.deployments.waiting import emit_group
from towline.actions.groups.candidates import forget_candidates
from towline.actions.groups.members import Crew, side_by_side
from towline.actions.routes import publish_environment
from towline.errors import Cancelled, DiskFull, TowlineError
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.groups import Group
from towline.models.services import Instance as InstanceRow
from towline.models.services import Workload
from towline.values import DeploymentStatus, HealthStatus, Instance, Step


async def switch_together(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """Send requests to the new instances of every member at once: rows first, then the routes, confirmed.

    When the router does not take them, everything is put back as it was, at once too.
    """
    await _decide(crew, rollouts)
    try:
        await _publish(crew)
    except TowlineError:
        await _undo(crew, rollouts)
        raise
    await _keep_running(crew, rollouts)


async def switch_again(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """Publish a switch that was decided before: new instances are added to it, and it is never taken back."""
    await _decide(crew, rollouts)
    await _keep_running(crew, rollouts)
    await _publish(crew)


async def retire_all(crew: Crew, rollouts: Mapping[str, Rollout], *, gone: Mapping[str, Sequence[Instance]]) -> None:
    """Drain and remove the old instances of every member, side by side."""
    await crew.run.enter(Step.RETIRE.value, progress=95)

    async def one(service_id: str) -> None:
        rollout = rollouts[service_id]
        await retire(rollout, [*rollout.old, *gone.get(service_id, ())])
        await rollout.attempt.log.write("Done.")

    await side_by_side(one, list(rollouts), at_once=len(rollouts) or 1)


async def _decide(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """Write the switch of all; what is known of the members stays as it was where that fails."""
    deployments = [rollout.attempt.deployment for rollout in rollouts.values()]
    before = [(deployment.switched_at, deployment.previous_release_id) for deployment in deployments]
    try:
        await _write_decision(crew, rollouts)
    except BaseException:
        for deployment, (switched_at, previous) in zip(deployments, before, strict=True):
            deployment.switched_at, deployment.previous_release_id = switched_at, previous
        raise


async def _write_decision(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """In one transaction, locked in the order in which everyone does: workloads, deployments, the group."""
    async with crew.platform.database.transaction() as work:
        workloads = await _lock_workloads(work, rollouts.values())
        now = utc_now()
        facts: dict[str, dict[str, Any]] = {}
        for service_id, rollout in rollouts.items():
            workload, deployment = workloads[rollout.job.workload.id], rollout.attempt.deployment
            is_repeated = deployment.switched_at is not None
            previous = deployment.previous_release_id if is_repeated else workload.release_id
            switch = {"switched_at": deployment.switched_at or now, "previous_release_id": previous}
            facts[service_id] = {**rollout.attempt.begin_step(Step.SWITCH), **switch}
            workload.release_id = rollout.release.id
            if workload.health == HealthStatus.UNKNOWN or workload.health_error:
                workload.health, workload.health_error, workload.health_at = HealthStatus.HEALTHY.value, "", now
        served = [(item, one.served_port) for one in rollouts.values() for item in one.started]
        await save_served(work, served)
        old = [item.id for rollout in rollouts.values() for item in rollout.old]
        await work.session.execute(update(InstanceRow).where(InstanceRow.id.in_(old)).values(is_routed=False))
        await crew.write_all(work, facts)
        await forget_candidates(work, crew)
        await _decide_group(work, crew)


async def _decide_group(work: Work, crew: Crew) -> None:
    columns = (Group.cancel_requested_at, Group.switched_at)
    query = select(*columns).where(Group.id == crew.run.group.id).with_for_update()
    row = (await work.session.execute(query)).one()
    if row.cancel_requested_at is not None and row.switched_at is None:
        raise Cancelled(f"Group {crew.run.group.number} was cancelled.")
    status = DeploymentStatus.DEPLOYING.value
    await crew.run.write(work, status=status, step=Step.SWITCH.value, switched_at=row.switched_at or utc_now())
    emit_group(crew.platform, work, crew.run.group, "group.progress", progress=85)


async def _lock_workloads(work: Work, rollouts: Iterable[Rollout]) -> dict[str, Workload]:
    ids = [rollout.job.workload.id for rollout in rollouts]
    query = select(Workload).where(Workload.id.in_(ids)).order_by(Workload.id).with_for_update()
    return {workload.id: workload for workload in await work.session.scalars(query)}


async def _keep_running(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """Let the engine itself start the new instances again from now on."""
    instances = [instance for rollout in rollouts.values() for instance in rollout.started]
    await side_by_side(crew.platform.orchestrator.keep_running, instances)


async def _publish(crew: Crew) -> None:
    logs = [member.attempt.log for member in crew.members]
    await publish_persistently(crew.platform, crew.run.group.environment_id, logs)


async def _undo(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    ordered = sorted(rollouts.values(), key=lambda rollout: rollout.job.workload.id)
    async with crew.platform.database.transaction() as work:
        await _lock_workloads(work, ordered)
        for rollout in ordered:
            await undo_switch(work, rollout.attempt, rollout.job)
        await crew.run.write(work, switched_at=None)
    with suppress(DiskFull):
        await publish_environment(crew.platform, crew.run.group.environment_id, confirm=False)
