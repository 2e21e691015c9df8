"""The rollout: start beside the old, wait for health, switch, drain, retire; nothing is switched before health."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from towline.actions.backups.before import keep_volumes
from towline.actions.deployments.attempt import Attempt
from towline.actions.deployments.job import Job, make_run_spec
from towline.actions.draining import wait_until_drained
from towline.actions.logs import LogWriter
from towline.actions.platform import Platform
from towline.actions.probing import Prober, Target
from towline.actions.routes import publish_environment
from towline.actions.settings import RunSettings, run_settings
from towline.errors import (
    Cancelled,
    DiskFull,
    OrchestratorUnavailable,
    OutOfMemory,
    RouterUnavailable,
    TowlineError,
    Unhealthy,
)
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment, Release
from towline.models.services import Instance as InstanceRow
from towline.models.services import Workload
from towline.values import Instance, InstanceState, RunSpec, Step

_CONFIRM_TRIES = 3
_GONE_GRACE_SECONDS = 1.0
_OUTPUT_LINES = 20


@dataclass
class Rollout:
    """One release going live: what it needs, what has been started, and what of the old still runs."""

    attempt: Attempt
    job: Job
    release: Release
    spec: RunSpec
    settings: RunSettings
    started: list[Instance] = field(default_factory=list[Instance])
    old: list[Instance] = field(default_factory=list[Instance])
    port: int | None = None

    @property
    def replicas(self) -> int:
        """Instances wanted."""
        return self.job.workload.replicas

    @property
    def batch_size(self) -> int:
        """How many are started at once: the max surge, all of them when none is set."""
        surge = self.settings.max_surge or self.attempt.platform.settings.max_surge
        return min(self.replicas, surge) if surge else self.replicas

    @property
    def served_port(self) -> int | None:
        """The port that requests are sent to; None for a service without requests."""
        return (self.port or self.target().port) if self.job.is_web else None

    def target(self) -> Target:
        """How the release's instances are probed."""
        port = self.port or self.release.port or (self.release.image_port if self.job.is_web else None)
        probe = self.settings.probe(
            self.attempt.platform.settings,
            port=port or (0 if not self.job.is_web else 1),
            has_healthcheck=self.release.has_healthcheck,
        )
        return Target(probe, port, is_fixed_port=self.release.port is not None)


async def prepare(
    attempt: Attempt, job: Job, release: Release, *, instances: Sequence[Instance] | None = None
) -> Rollout:
    """Look at what runs (`instances` where known), and remove what an earlier attempt of this deployment left."""
    platform = attempt.platform
    spec = await make_run_spec(platform, job, release, deployment_id=attempt.deployment.id)
    rollout = Rollout(attempt, job, release, spec, run_settings(release.run))
    if instances is None:
        instances = (await platform.orchestrator.get_status(job.workload.id)).instances
    if attempt.deployment.switched_at is None:
        leftovers = [item for item in instances if item.deployment_id == attempt.deployment.id]
        await remove_instances(attempt, leftovers)
        if attempt.deployment.attempt > 1 and rollout.settings.release_command:
            await platform.orchestrator.remove_commands(of_deployment=attempt.deployment.id)
        rollout.old = [item for item in instances if item not in leftovers]
    return rollout


async def roll_out(rollout: Rollout) -> None:
    """Bring the release live batch by batch; the first healthy batch decides the switch."""
    attempt = rollout.attempt
    if rollout.settings.volumes:
        await stop_old_first(rollout)
    await run_release_command(rollout)
    while len(rollout.started) < rollout.replicas:
        count = min(rollout.batch_size, rollout.replicas - len(rollout.started))
        await start_batch(rollout, count)
        is_last = len(rollout.started) >= rollout.replicas
        retiring = rollout.old if is_last else rollout.old[:count]
        await switch(rollout, retiring=retiring)
        await retire(rollout, retiring)
        rollout.old = [item for item in rollout.old if item not in retiring]
    if not rollout.replicas:
        await switch(rollout, retiring=rollout.old)
        await retire(rollout, rollout.old)
    await attempt.log.write("Done.")


async def run_release_command(rollout: Rollout) -> None:
    """Run the release's own command in its image, before anything is switched; Unhealthy when it fails."""
    command, attempt = rollout.settings.release_command, rollout.attempt
    if not command or attempt.deployment.rollback_to is not None or attempt.deployment.switched_at is not None:
        return
    await attempt.enter(Step.RELEASE_COMMAND)
    seconds = attempt.platform.settings.build_timeout.total_seconds()
    code = await attempt.platform.orchestrator.run_command(
        rollout.spec, command, timeout_seconds=seconds, report=attempt.log.report
    )
    if code != 0:
        raise Unhealthy(
            f"The release command ended with exit code {code}; nothing was switched.",
            hint="Read its output in the log, correct it, then deploy again.",
        )


async def stop_old_first(rollout: Rollout) -> None:
    """Stop what runs of a service with a volume, which two instances must not share."""
    running = [item for item in rollout.old if item.state is InstanceState.RUNNING]
    if not running:
        return
    await rollout.attempt.log.write("The service has a volume: its old instance is stopped before the new one starts.")
    grace = rollout.spec.stop_grace.total_seconds()
    await asyncio.gather(*(rollout.attempt.platform.orchestrator.stop(item, grace_seconds=grace) for item in running))
    for backup in await keep_volumes(rollout.attempt.platform, rollout.job.workload.id):
        await rollout.attempt.log.write(f"The volume {backup.volume} was kept as it is: {backup.id}.")


async def start_batch(rollout: Rollout, count: int) -> None:
    """Start instances of the release and wait for their health."""
    attempt, platform = rollout.attempt, rollout.attempt.platform
    await attempt.enter(Step.START, note=f"{count} of {rollout.replicas}", queue_reason="")
    result = await platform.orchestrator.deploy(rollout.spec, count=count)
    target = rollout.target()
    probing = asyncio.ensure_future(Prober(platform.orchestrator).wait_until_healthy(result.instances, target))
    try:
        await attempt.enter(Step.HEALTH)
        healthy = await probing
    except (Unhealthy, OutOfMemory):
        await show_last_output(attempt, result.instances)
        raise
    finally:
        probing.cancel()
        await asyncio.wait([probing])
    if rollout.job.is_web:
        await _adopt_port(rollout, healthy[0][1], was=target.port)
    rollout.started += [instance for instance, _ in healthy]


async def _adopt_port(rollout: Rollout, port: int | None, *, was: int | None) -> None:
    rollout.port = port
    if port is not None and port != was:
        await rollout.attempt.log.write(f"Found the app listening on port {port}.")


async def show_last_output(attempt: Attempt, instances: Sequence[Instance]) -> None:
    """Copy what failed instances printed last into the deployment's log."""
    for instance in instances[:3]:
        try:
            lines = await attempt.platform.orchestrator.get_logs(instance, tail=_OUTPUT_LINES)
        except TowlineError:
            continue
        await attempt.log.write(f"Last output of {instance.name}:", level="warning")
        for line in lines:
            await attempt.log.write(line.message, stream=line.stream, level=line.level, instance_id=instance.id)


async def switch(rollout: Rollout, *, retiring: Sequence[Instance]) -> None:
    """Send requests to the new instances: a row first, then the routes, confirmed by the router.

    When the routes cannot be written or the router does not confirm, everything is put back as it was.
    """
    attempt, platform = rollout.attempt, rollout.attempt.platform
    await attempt.enter(Step.SWITCH)
    await asyncio.gather(*(platform.orchestrator.keep_running(instance) for instance in rollout.started))
    async with platform.database.transaction() as work:
        await _decide_switch(work, rollout, retiring=retiring)
    try:
        await publish_persistently(attempt.platform, rollout.job.environment.id, [attempt.log])
    except TowlineError:
        await _undo_and_publish(attempt, rollout.job)
        raise


async def _decide_switch(work: Work, rollout: Rollout, *, retiring: Sequence[Instance]) -> None:
    attempt, workload_id = rollout.attempt, rollout.job.workload.id
    # The workload first, as rollbacks and deletions lock it before its deployments.
    workload = (await work.session.scalars(select(Workload).where(Workload.id == workload_id).with_for_update())).one()
    query = select(Deployment.cancel_requested_at, Deployment.switched_at).where(Deployment.id == attempt.deployment.id)
    cancelled_at, switched_at = (await work.session.execute(query.with_for_update())).one()
    if cancelled_at is not None and switched_at is None:
        raise Cancelled(f"Deployment {attempt.deployment.number} was cancelled.")
    previous = attempt.deployment.previous_release_id if switched_at is not None else workload.release_id
    workload.release_id = rollout.release.id
    if workload.health == "unknown" or workload.health_error:
        workload.health, workload.health_error, workload.health_at = "healthy", "", utc_now()
    await save_instances(work, rollout.started, port=rollout.served_port)
    retiring_ids = [instance.id for instance in retiring]
    await work.session.execute(update(InstanceRow).where(InstanceRow.id.in_(retiring_ids)).values(is_routed=False))
    await attempt.write(work, is_told=False, switched_at=switched_at or utc_now(), previous_release_id=previous)


async def save_instances(work: Work, instances: Sequence[Instance], *, port: int | None) -> None:
    """Write instances as routed, with the address they have now."""
    await save_served(work, [(instance, port) for instance in instances])


async def save_served(work: Work, served: Sequence[tuple[Instance, int | None]]) -> None:
    """The same for instances that answer on different ports, in one statement."""
    if not served:
        return
    rows = [
        {
            "id": instance.id,
            "created_at": instance.started_at or utc_now(),
            "workload_id": instance.workload_id,
            "release_id": instance.release_id,
            "deployment_id": instance.deployment_id,
            "engine_id": instance.engine_id,
            "name": instance.name,
            "address": instance.address,
            "port": port,
            "is_routed": True,
        }
        for instance, port in served
    ]
    statement = insert(InstanceRow).values(rows)
    changes = {name: statement.excluded[name] for name in ("address", "port", "is_routed")}
    await work.session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes))


async def mark_routed(work: Work, instances: Sequence[Instance]) -> None:
    """Send requests to known instances again, at the address they have now."""
    for instance in instances:
        values = {"address": instance.address, "is_routed": True}
        await work.session.execute(update(InstanceRow).where(InstanceRow.id == instance.id).values(values))


async def publish_persistently(platform: Platform, environment_id: str, logs: Sequence[LogWriter]) -> None:
    """Bring the router to what the rows say and have it confirmed; RouterUnavailable after a few tries."""
    for left in reversed(range(_CONFIRM_TRIES)):
        try:
            await publish_environment(platform, environment_id)
        except RouterUnavailable as error:
            for log in logs:
                await log.write(f"{error.message} {left} tries left.", level="warning")
            if not left:
                raise
        else:
            return


async def put_back(attempt: Attempt, job: Job) -> None:
    """Remove what a failed deployment started, start what it stopped; a switch that does not serve goes back."""
    orchestrator = attempt.platform.orchestrator
    status = await orchestrator.get_status(job.workload.id)
    if attempt.deployment.switched_at is not None:
        await go_back(attempt, job)
    is_switched = attempt.deployment.switched_at is not None
    new = [item for item in status.instances if item.deployment_id == attempt.deployment.id and not is_switched]
    await remove_instances(attempt, new)
    stopped = [item for item in status.instances if item not in new and item.state is InstanceState.EXITED]
    kept = attempt.deployment.previous_release_id or job.workload.release_id
    mine = [item for item in stopped if item.release_id == kept]
    started = await asyncio.gather(*(orchestrator.start(item) for item in mine))
    if started:
        async with attempt.platform.database.transaction() as work:
            await mark_routed(work, started)
        await publish_environment(attempt.platform, job.environment.id, confirm=False)
    await attempt.platform.bell.ring(f"reconcile {job.workload.id}")


async def go_back(attempt: Attempt, job: Job) -> None:
    """Undo the switch of a failed deployment whose release does not serve in full while old instances are still there.

    Done when all new instances serve, or nothing is left to go back to.
    """
    query = select(InstanceRow.deployment_id, InstanceRow.is_routed).where(InstanceRow.workload_id == job.workload.id)
    async with attempt.platform.database.transaction() as work:
        rows = (await work.session.execute(query)).all()
    serving = [row for row in rows if row.deployment_id == attempt.deployment.id and row.is_routed]
    has_old = any(row.deployment_id != attempt.deployment.id for row in rows)
    if has_old and len(serving) < job.workload.replicas:
        await _undo_and_publish(attempt, job)
        with contextlib.suppress(RouterUnavailable, DiskFull):
            await publish_environment(attempt.platform, job.environment.id)


async def _undo_and_publish(attempt: Attempt, job: Job) -> None:
    async with attempt.platform.database.transaction() as work:
        await undo_switch(work, attempt, job)
    with contextlib.suppress(DiskFull):
        await publish_environment(attempt.platform, job.environment.id, confirm=False)


async def undo_switch(work: Work, attempt: Attempt, job: Job) -> None:
    """Put the rows back to the release that served before; the new instances get no more requests."""
    previous = attempt.deployment.previous_release_id
    mine = InstanceRow.workload_id == job.workload.id
    is_new = InstanceRow.deployment_id == attempt.deployment.id
    await work.session.execute(update(Workload).where(Workload.id == job.workload.id).values(release_id=previous))
    await work.session.execute(update(InstanceRow).where(mine).values(is_routed=~is_new))
    await attempt.write(work, is_told=False, switched_at=None)


async def retire(rollout: Rollout, instances: Sequence[Instance]) -> None:
    """Drain and remove old instances, their last requests answered where the drain time allows."""
    attempt, platform, count = rollout.attempt, rollout.attempt.platform, len(instances)
    await attempt.enter(Step.RETIRE, note=f"{count} old instance{'' if count == 1 else 's'}" if count else "")
    running = [item for item in instances if item.state is InstanceState.RUNNING]
    if running and rollout.job.is_web and not rollout.settings.volumes:
        least = rollout.settings.drain(platform.settings)
        still_open = await wait_until_drained(platform, running, environment_id=rollout.job.environment.id, least=least)
        if still_open:
            await attempt.log.write(
                f"{still_open} old instances still had open requests when they were stopped.", level="warning"
            )
    await attempt.record(is_told=False)
    try:
        await remove_instances(attempt, instances, grace_seconds=rollout.spec.stop_grace.total_seconds())
    except OrchestratorUnavailable as error:
        await attempt.log.write(f"{error.message} The old instances are left to reconciliation.", level="warning")


async def remove_instances(
    attempt: Attempt, instances: Sequence[Instance], *, grace_seconds: float = _GONE_GRACE_SECONDS
) -> None:
    """Remove instances from the engine, then their rows."""
    if not instances:
        return
    orchestrator = attempt.platform.orchestrator
    await asyncio.gather(*(orchestrator.remove(item, grace_seconds=grace_seconds) for item in instances))
    async with attempt.platform.database.transaction() as work:
        ids = [item.id for item in instances]
        await work.session.execute(delete(InstanceRow).where(InstanceRow.id.in_(ids)))
