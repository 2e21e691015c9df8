"""Resuming a deployment that was interrupted after the decision to switch: it goes forward."""

from sqlalchemy import select

from towline.actions.deployments.rollout import Rollout, retire, switch
from towline.actions.probing import Prober
from towline.models.services import Instance as InstanceRow
from towline.values import Instance, InstanceState


async def resume_switched(rollout: Rollout) -> None:
    """Bring the decided release to its wanted number of healthy instances, switch, retire the rest."""
    gone = await make_whole(rollout)
    await switch(rollout, retiring=rollout.old)
    await retire(rollout, [*rollout.old, *gone])
    await rollout.attempt.log.write("Done.")


async def make_whole(rollout: Rollout) -> list[Instance]:
    """Bring the decided release to its wanted number of healthy instances; its dead ones are returned.

    Told apart by deployment, since a restart puts the same release live again.
    """
    attempt, platform = rollout.attempt, rollout.attempt.platform
    status = await platform.orchestrator.get_status(rollout.job.workload.id)
    mine = [item for item in status.instances if item.deployment_id == attempt.deployment.id]
    rollout.old = [item for item in status.instances if item not in mine]
    rollout.port = await _known_port(rollout)
    rollout.started = await _start_missing(rollout, mine)
    return [item for item in mine if item.state is not InstanceState.RUNNING]


async def _start_missing(rollout: Rollout, mine: list[Instance]) -> list[Instance]:
    platform = rollout.attempt.platform
    running = [item for item in mine if item.state is InstanceState.RUNNING]
    missing = rollout.replicas - len(running)
    if missing > 0:
        result = await platform.orchestrator.deploy(rollout.spec, count=missing)
        running += result.instances
    healthy = await Prober(platform.orchestrator).wait_until_healthy(running, rollout.target())
    if rollout.job.is_web and healthy:
        rollout.port = healthy[0][1]
    return [instance for instance, _ in healthy]


async def _known_port(rollout: Rollout) -> int | None:
    query = select(InstanceRow.port).where(InstanceRow.release_id == rollout.release.id, InstanceRow.port.is_not(None))
    async with rollout.attempt.platform.database.transaction() as work:
        return (await work.session.scalars(query.limit(1))).first()
