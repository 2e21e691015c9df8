"""Reconciliation: what runs is brought to what the rows want, after a scale, a crash, a reboot or a stranger's hand."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, exists, select, text, update

from towline.actions.deployments.attempt import RUNNING
from towline.actions.deployments.job import Job, load_job, make_run_spec
from towline.actions.deployments.rollout import mark_routed, save_instances
from towline.actions.draining import wait_until_drained
from towline.actions.environments import ensure_network
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.probing import Prober, Target
from towline.actions.removal import remove_deleted
from towline.actions.routes import publish_environment
from towline.actions.settings import RunSettings, run_settings
from towline.errors import RouterUnavailable, TowlineError
from towline.models.base import utc_now
from towline.models.deployments import Deployment, Release
from towline.models.services import Instance as InstanceRow
from towline.models.services import Workload
from towline.values import Instance, InstanceState, RunSpec

_LONGEST_BACKOFF = timedelta(minutes=5)
_CRASH_LOOP_AFTER = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Live:
    """A workload's release and what the engine has of the workload."""

    job: Job
    release: Release | None
    instances: Sequence[Instance]
    routed: frozenset[str]

    @property
    def is_wanted(self) -> bool:
        job = self.job
        deleted = (job.service.deleted_at, job.project.deleted_at, job.environment.deleted_at)
        return job.workload.wanted == "running" and self.release is not None and not any(deleted)

    @property
    def settings(self) -> RunSettings:
        return run_settings(self.release.run if self.release is not None else {})

    def mine(self, state: InstanceState) -> list[Instance]:
        """Instances of the wanted release in a state, oldest first."""
        return [
            item for item in self.instances if item.release_id == self.job.workload.release_id and item.state is state
        ]


async def reconcile_all(platform: Platform) -> None:
    """Look at everything once: converge what differs, remove what no row knows."""
    instances = await platform.orchestrator.list_instances()
    by_workload: dict[str, list[Instance]] = {}
    for instance in instances:
        by_workload.setdefault(instance.workload_id, []).append(instance)
    async with platform.database.transaction() as work:
        rows = (
            await work.session.execute(select(Workload.id, Workload.replicas, Workload.wanted, Workload.release_id))
        ).all()
        routed = frozenset(await work.session.scalars(select(InstanceRow.id).where(InstanceRow.is_routed)))
        open_deployments = list(await work.session.scalars(select(Deployment.id).where(Deployment.status.in_(RUNNING))))
    await platform.orchestrator.remove_commands(except_deployments=open_deployments)
    known = {workload_id for workload_id, *_ in rows}
    for workload_id, found in by_workload.items():
        if workload_id not in known:
            await _remove(platform, found)
    for workload_id, replicas, wanted, release_id in rows:
        found = by_workload.get(workload_id, [])
        count = replicas if wanted == "running" and release_id is not None else 0
        is_right = len(found) == count and all(
            item.state is InstanceState.RUNNING and item.release_id == release_id and item.id in routed
            for item in found
        )
        if not is_right:
            await reconcile_quietly(platform, workload_id)
    await remove_deleted(platform, running_workloads=by_workload)


async def reconcile_quietly(platform: Platform, workload_id: str) -> None:
    """Reconcile one workload; a failure is logged and kept as the workload's health."""
    try:
        await reconcile_workload(platform, workload_id)
    except TowlineError as error:
        _log.warning("Workload %s could not be brought to its wanted state: %s", workload_id, error)


async def reconcile_workload(platform: Platform, workload_id: str) -> None:
    """Bring one workload to its wanted state; does nothing while a deployment of it runs."""
    async with platform.database.connection() as connection:
        lock = {"workload": workload_id}
        if not await connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:workload, 11))"), lock):
            return
        try:
            await _converge(platform, workload_id)
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:workload, 11))"), lock)


async def unroute(platform: Platform, instance_id: str) -> str:
    """Send no more requests to an instance that died; return its workload's id, empty when none were sent to it."""
    async with platform.database.transaction() as work:
        row = (
            await work.session.execute(
                update(InstanceRow)
                .where(InstanceRow.id == instance_id, InstanceRow.is_routed)
                .values(is_routed=False)
                .returning(InstanceRow.workload_id)
            )
        ).first()
        if row is None:
            return ""
        workload_id: str = row[0]
        environment_id = (
            await work.session.execute(select(Workload.environment_id).where(Workload.id == workload_id))
        ).scalar_one()
    await publish_environment(platform, environment_id, confirm=False)
    return workload_id


async def _converge(platform: Platform, workload_id: str) -> None:
    live = await _look(platform, workload_id)
    if live is None:
        return None
    if not live.is_wanted:
        return await _take_down(platform, live, live.instances)
    await _forget_lost(platform, live)
    strays = [item for item in live.instances if item.release_id != live.job.workload.release_id]
    await _take_down(platform, live, strays)
    await _route_again(platform, live)
    running = live.mine(InstanceState.RUNNING)
    surplus = len(running) - live.job.workload.replicas
    if surplus > 0:
        newest = sorted(running, key=lambda item: item.id)[-surplus:]
        await _take_down(platform, live, newest)
    if surplus < 0 and not live.mine(InstanceState.STARTING):
        await _bring_up(platform, live, -surplus)
    return None


async def _look(platform: Platform, workload_id: str) -> _Live | None:
    async with platform.database.transaction() as work:
        is_deploying = exists().where(Deployment.workload_id == workload_id, Deployment.status.in_(RUNNING))
        if await work.session.scalar(select(is_deploying)) or await work.session.get(Workload, workload_id) is None:
            return None
        job = await load_job(work, workload_id)
        release = await work.session.get(Release, job.workload.release_id) if job.workload.release_id else None
        routed = select(InstanceRow.id).where(InstanceRow.workload_id == workload_id, InstanceRow.is_routed)
        routed_ids = frozenset(await work.session.scalars(routed))
    status = await platform.orchestrator.get_status(workload_id)
    return _Live(job, release, status.instances, routed_ids)


async def _forget_lost(platform: Platform, live: _Live) -> None:
    """Delete the rows of instances that the engine no longer has, and route away from their addresses."""
    found = [item.id for item in live.instances]
    lost = (InstanceRow.workload_id == live.job.workload.id) & InstanceRow.id.not_in(found)
    async with platform.database.transaction() as work:
        ids = (await work.session.scalars(delete(InstanceRow).where(lost).returning(InstanceRow.id))).all()
    if live.routed.intersection(ids):
        await publish_environment(platform, live.job.environment.id)


async def _take_down(platform: Platform, live: _Live, instances: Sequence[Instance]) -> None:
    """Route requests away, confirmed; drain; remove."""
    workload_id = live.job.workload.id
    ids = [item.id for item in instances]
    gone = InstanceRow.workload_id == workload_id
    if live.is_wanted:
        gone = gone & InstanceRow.id.in_(ids)
    async with platform.database.transaction() as work:
        changed = await work.session.scalars(
            update(InstanceRow).where(gone, InstanceRow.is_routed).values(is_routed=False).returning(InstanceRow.id)
        )
        was_routed = bool(changed.all())
    if was_routed:
        await publish_environment(platform, live.job.environment.id)
    running = [item for item in instances if item.state is InstanceState.RUNNING]
    if was_routed and running:
        least = live.settings.drain(platform.settings)
        await wait_until_drained(platform, running, environment_id=live.job.environment.id, least=least)
    await _remove(platform, instances, grace_seconds=live.settings.stop_grace(platform.settings).total_seconds())
    if not live.is_wanted:
        await _remember(platform, live, health="unknown", error="", restarts=0)


async def _remove(platform: Platform, instances: Sequence[Instance], *, grace_seconds: float = 10) -> None:
    await asyncio.gather(*(platform.orchestrator.remove(item, grace_seconds=grace_seconds) for item in instances))
    if instances:
        async with platform.database.transaction() as work:
            await work.session.execute(delete(InstanceRow).where(InstanceRow.id.in_([item.id for item in instances])))


async def _route_again(platform: Platform, live: _Live) -> None:
    """Instances that run but get no requests (they died and came back) are probed, then routed at their address."""
    waiting = [item for item in live.mine(InstanceState.RUNNING) if item.id not in live.routed]
    if not waiting or live.release is None:
        return
    async with platform.database.transaction() as work:
        query = select(InstanceRow.id, InstanceRow.port).where(InstanceRow.id.in_([item.id for item in waiting]))
        ports = {row.id: row.port for row in await work.session.execute(query)}
    for instance in waiting:
        if instance.id not in ports:
            await _remove(platform, [instance])
            continue
        target = _target(platform, live, port=ports[instance.id])
        await Prober(platform.orchestrator).wait_until_healthy([instance], target)
        async with platform.database.transaction() as work:
            await mark_routed(work, [instance])
    await publish_environment(platform, live.job.environment.id, confirm=False)


async def _bring_up(platform: Platform, live: _Live, count: int) -> None:
    """Start what is missing beside what runs; failures wait longer each time and end in a crash-loop verdict."""
    workload, release = live.job.workload, live.release
    if release is None or (workload.next_restart_at is not None and workload.next_restart_at > utc_now()):
        return
    await _remove(platform, live.mine(InstanceState.EXITED))
    job = live.job
    await ensure_network(platform, job.environment, job.project)
    spec = await make_run_spec(platform, job, release, deployment_id=release.deployment_id)
    try:
        await _start_routed(platform, live, spec, count=count)
    except RouterUnavailable:
        raise
    except TowlineError as error:
        await _back_off(platform, live, error)
        raise
    await _remember(platform, live, health=workload.health, error="", restarts=0)


async def _start_routed(platform: Platform, live: _Live, spec: RunSpec, *, count: int) -> None:
    result = await platform.orchestrator.deploy(spec, count=count)
    try:
        target = _target(platform, live, port=await _known_port(platform, live))
        healthy = await Prober(platform.orchestrator).wait_until_healthy(result.instances, target)
        for instance, _ in healthy:
            await platform.orchestrator.keep_running(instance)
        async with platform.database.transaction() as work:
            await save_instances(work, [item for item, _ in healthy], port=healthy[0][1] if live.job.is_web else None)
    except BaseException:
        await asyncio.shield(_remove(platform, result.instances, grace_seconds=1))
        raise
    await publish_environment(platform, live.job.environment.id)


async def _known_port(platform: Platform, live: _Live) -> int | None:
    query = select(InstanceRow.port).where(
        InstanceRow.workload_id == live.job.workload.id, InstanceRow.port.is_not(None)
    )
    async with platform.database.transaction() as work:
        return (await work.session.scalars(query.limit(1))).first()


def _target(platform: Platform, live: _Live, *, port: int | None) -> Target:
    release = live.release
    assert release is not None
    wanted = port or release.port or (release.image_port if live.job.is_web else None)
    return Target(
        live.settings.probe(
            platform.settings,
            port=wanted or (1 if live.job.is_web else 0),
            has_healthcheck=release.has_healthcheck,
        ),
        wanted,
        is_fixed_port=release.port is not None,
    )


async def _back_off(platform: Platform, live: _Live, error: TowlineError) -> None:
    restarts = live.job.workload.restarts + 1
    is_loop = restarts >= _CRASH_LOOP_AFTER
    verdict = f"Crash loop: {restarts} starts failed, the last one: {error.message}" if is_loop else error.message
    await _remember(platform, live, health="unhealthy", error=verdict, restarts=restarts)


async def _remember(platform: Platform, live: _Live, *, health: str, error: str, restarts: int) -> None:
    workload = live.job.workload
    if (workload.health, workload.health_error, workload.restarts) == (health, error, restarts):
        return
    wait = min(timedelta(seconds=2 ** min(restarts, 10)), _LONGEST_BACKOFF)
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(Workload)
            .where(Workload.id == workload.id)
            .values(
                health=health,
                health_error=error,
                health_at=utc_now(),
                restarts=restarts,
                next_restart_at=utc_now() + wait if restarts else None,
            )
        )
        if health != workload.health:
            emit(
                platform,
                work,
                "service.health",
                project_id=workload.project_id,
                service_id=workload.service_id,
                data={"status": health, "error": error, "environmentId": workload.environment_id},
            )
