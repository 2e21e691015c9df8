"""Reconciliation: what runs is brought to what the rows want, after a scale, a crash, a reboot or a stranger's hand."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, delete, exists, select, text, update

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
from towline.errors import FenceLost, TowlineError, Unavailable
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment, Release
from towline.models.runs import CronRun
from towline.models.services import Instance as InstanceRow
from towline.models.services import Workload
from towline.runs import RunStatus
from towline.values import DeploymentStatus, Instance, InstanceState, RunSpec

_LONGEST_BACKOFF = timedelta(minutes=5)
_CRASH_LOOP_AFTER = 3
_AT_ONCE = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Live:
    """A workload's release and what the engine has of the workload.

    `routed` get requests at the address they have; `ports` has an entry for each instance that is known by a row.
    """

    job: Job
    release: Release | None
    instances: Sequence[Instance]
    routed: frozenset[str]
    ports: Mapping[str, int | None]

    @property
    def is_wanted(self) -> bool:
        job = self.job
        deleted = (job.service.deleted_at, job.project.deleted_at, job.environment.deleted_at)
        return job.workload.wanted == "running" and self.release is not None and not any(deleted)

    @property
    def settings(self) -> RunSettings:
        return run_settings(self.release.run if self.release is not None else {})

    @property
    def strays(self) -> list[Instance]:
        """Instances of other releases, and those that cannot serve: half made by a killed process, or cut off."""
        return [item for item in self.instances if self._is_stray(item)]

    @property
    def is_starting(self) -> bool:
        """Whether the engine itself is about to start an instance again."""
        return any(not _is_stillborn(item) for item in self.mine(InstanceState.STARTING))

    @property
    def by_usefulness(self) -> list[Instance]:
        """Running instances of the wanted release: those that get requests first, then the oldest."""
        fit = [item for item in self.mine(InstanceState.RUNNING) if not self._is_stray(item)]
        return sorted(fit, key=lambda item: (item.id not in self.routed, item.id))

    def _is_stray(self, instance: Instance) -> bool:
        is_of_release = instance.release_id == self.job.workload.release_id and instance.id in self.ports
        return not is_of_release or _is_stillborn(instance) or _is_cut_off(instance)

    def mine(self, state: InstanceState) -> list[Instance]:
        """Instances of the wanted release in a state, oldest first."""
        return [
            item for item in self.instances if item.release_id == self.job.workload.release_id and item.state is state
        ]


def _is_stillborn(instance: Instance) -> bool:
    return instance.state is InstanceState.STARTING and instance.started_at is None


def _is_cut_off(instance: Instance) -> bool:
    """Whether someone took the running instance out of its network."""
    return instance.state is InstanceState.RUNNING and not instance.address


async def reconcile_all(platform: Platform) -> None:
    """Look at everything once: converge what differs, side by side, and remove what no row knows."""
    by_workload: defaultdict[str, list[Instance]] = defaultdict(list)
    for instance in await platform.orchestrator.list_instances():
        by_workload[instance.workload_id].append(instance)
    # Before the rows, so that a command which begins meanwhile is not taken for a leftover.
    commands = await platform.orchestrator.list_command_deployments()
    rows: defaultdict[str, list[InstanceRow]] = defaultdict(list)
    async with platform.database.transaction() as work:
        workloads = {workload.id: workload for workload in await work.session.scalars(select(Workload))}
        for row in await work.session.scalars(select(InstanceRow)):
            rows[row.workload_id].append(row)
        open_deployments = set(await work.session.scalars(select(Deployment.id).where(Deployment.status.in_(RUNNING))))
        open_runs = set(await work.session.scalars(select(CronRun.id).where(CronRun.status == RunStatus.RUNNING.value)))
    for deployment_id in commands - open_deployments - open_runs:
        await platform.orchestrator.remove_commands(of_deployment=deployment_id)
    for workload_id, found in by_workload.items():
        if workload_id not in workloads:
            await _remove(platform, found)
    different = [
        workload.id
        for workload in workloads.values()
        if not _is_right(workload, by_workload.get(workload.id, []), rows.get(workload.id, []))
    ]
    await _reconcile_many(platform, different)
    await remove_deleted(platform, running_workloads=by_workload)


async def _reconcile_many(platform: Platform, workload_ids: Sequence[str]) -> None:
    """A few at once: each holds a connection for as long as it takes."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def reconcile(workload_id: str) -> None:
        async with slots:
            await reconcile_quietly(platform, workload_id)

    async with asyncio.TaskGroup() as tasks:
        for workload_id in workload_ids:
            tasks.create_task(reconcile(workload_id), name=f"reconcile {workload_id}")


def _is_right(workload: Workload, instances: Sequence[Instance], rows: Sequence[InstanceRow]) -> bool:
    """Whether just the wanted instances run, and each gets requests at the address it has."""
    seen = {(item.id, item.address, item.release_id, item.state is InstanceState.RUNNING) for item in instances}
    kept = {(row.id, row.address, row.release_id, row.is_routed) for row in rows}
    count = workload.replicas if workload.wanted == "running" and workload.release_id is not None else 0
    is_wanted = all(is_serving and release_id == workload.release_id for _, _, release_id, is_serving in seen)
    return seen == kept and len(seen) == count and is_wanted


async def reconcile_quietly(platform: Platform, workload_id: str) -> None:
    """Reconcile one workload; a failure is logged and kept as the workload's health."""
    try:
        await reconcile_workload(platform, workload_id)
    except TowlineError as error:
        _log.warning("Workload %s could not be brought to its wanted state: %s", workload_id, error)


async def reconcile_workload(platform: Platform, workload_id: str) -> None:
    """Bring one workload to its wanted state; does nothing while a deployment of it runs."""
    async with platform.database.connection() as connection:
        # Without the lock first: everything that a deployment starts or ends leads here too.
        if await connection.scalar(_deploying(workload_id)):
            return
        lock = {"workload": workload_id}
        if not await connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:workload, 11))"), lock):
            return
        try:
            await _converge(platform, workload_id)
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:workload, 11))"), lock)


async def unroute(platform: Platform, instance_id: str) -> str:
    """Send no more requests to an instance that died; return its workload's id, empty when none were sent to it."""
    statement = (
        update(InstanceRow)
        .where(InstanceRow.id == instance_id, InstanceRow.is_routed, Workload.id == InstanceRow.workload_id)
        .values(is_routed=False)
        .returning(Workload.id, Workload.environment_id)
    )
    async with platform.database.transaction() as work:
        row = (await work.session.execute(statement, execution_options={"synchronize_session": False})).first()
    if row is None:
        return ""
    workload_id, environment_id = row
    await publish_environment(platform, environment_id, confirm=False)
    return workload_id


async def _converge(platform: Platform, workload_id: str) -> None:
    live = await _look(platform, workload_id)
    if live is None:
        return None
    await _correct_rows(platform, live)
    if not live.is_wanted:
        return await _take_down(platform, live, live.instances)
    await _take_down(platform, live, live.strays)
    running = live.by_usefulness
    missing = live.job.workload.replicas - len(running)
    await _take_down(platform, live, running[live.job.workload.replicas :])
    await _route_again(platform, live, running[: live.job.workload.replicas])
    if missing <= 0:
        await _remove(platform, live.mine(InstanceState.EXITED))
    elif not live.is_starting:
        await _bring_up(platform, live, missing)
    return None


async def _look(platform: Platform, workload_id: str) -> _Live | None:
    async with platform.database.transaction() as work:
        if await _is_deploying(work, workload_id) or await work.session.get(Workload, workload_id) is None:
            return None
        job = await load_job(work, workload_id)
        release = await work.session.get(Release, job.workload.release_id) if job.workload.release_id else None
        query = select(InstanceRow).where(InstanceRow.workload_id == workload_id)
        rows = {row.id: row for row in await work.session.scalars(query)}
    status = await platform.orchestrator.get_status(workload_id)
    routed = {(row.id, row.address) for row in rows.values() if row.is_routed}
    served = frozenset(item.id for item in status.instances if (item.id, item.address) in routed)
    return _Live(job, release, status.instances, served, {row.id: row.port for row in rows.values()})


async def _correct_rows(platform: Platform, live: _Live) -> None:
    """Route away from instances that the engine no longer has, or has elsewhere; forget those that are gone.

    After a restart of the engine each instance may have the address that another one had before.
    """
    mine = InstanceRow.workload_id == live.job.workload.id
    is_lost = InstanceRow.id.not_in([item.id for item in live.instances])
    async with platform.database.transaction() as work:
        lost = await work.session.scalars(delete(InstanceRow).where(mine, is_lost).returning(InstanceRow.is_routed))
        is_stale = InstanceRow.is_routed & InstanceRow.id.not_in(live.routed)
        statement = update(InstanceRow).where(mine, is_stale).values(is_routed=False).returning(InstanceRow.id)
        is_changed = any(lost.all()) or bool((await work.session.scalars(statement)).all())
    if is_changed:
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


async def _route_again(platform: Platform, live: _Live, instances: Sequence[Instance]) -> None:
    """Instances that run but get no requests (they died and came back) are probed, then routed at their address."""
    waiting = [item for item in instances if item.id not in live.routed]
    if not waiting or live.release is None:
        return
    for instance in waiting:
        target = _target(platform, live, port=live.ports[instance.id])
        await Prober(platform.orchestrator).wait_until_healthy([instance], target)
        async with platform.database.transaction() as work:
            await _check_still_wanted(work, live)
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
    except FenceLost:
        raise
    except TowlineError as error:
        # That Docker or Traefik is away is no fault of the app's.
        if not isinstance(error, Unavailable) or not error.retryable:
            await _back_off(platform, live, error)
        raise
    is_all_new = count >= workload.replicas  # and each was found healthy
    await _remember(platform, live, health="healthy" if is_all_new else workload.health, error="", restarts=0)


async def _start_routed(platform: Platform, live: _Live, spec: RunSpec, *, count: int) -> None:
    result = await platform.orchestrator.deploy(spec, count=count)
    try:
        target = _target(platform, live, port=await _known_port(platform, live))
        healthy = await Prober(platform.orchestrator).wait_until_healthy(result.instances, target)
        for instance, _ in healthy:
            await platform.orchestrator.keep_running(instance)
        async with platform.database.transaction() as work:
            await _check_still_wanted(work, live)
            await save_instances(work, [item for item, _ in healthy], port=healthy[0][1] if live.job.is_web else None)
    except BaseException:
        await asyncio.shield(_remove(platform, result.instances, grace_seconds=1))
        raise
    await publish_environment(platform, live.job.environment.id)


async def _check_still_wanted(work: Work, live: _Live) -> None:
    """FenceLost when a deployment began meanwhile, or has replaced the release: it alone says then what is routed."""
    seen = live.job.workload
    query = select(Workload.release_id, Workload.wanted).where(Workload.id == seen.id).with_for_update()
    now = (await work.session.execute(query)).one()
    if (now.release_id, now.wanted) != (seen.release_id, seen.wanted) or await _is_deploying(work, seen.id):
        raise FenceLost(f"What is wanted of {live.job.title} changed meanwhile.")


async def _is_deploying(work: Work, workload_id: str) -> bool:
    return bool(await work.session.scalar(_deploying(workload_id)))


def _deploying(workload_id: str) -> Select[bool]:
    # A member of a group that waits for the others has begun nothing yet, and may wait for long.
    is_parked = Deployment.group_id.is_not(None) & (Deployment.status == DeploymentStatus.BUILDING.value)
    return select(exists().where(Deployment.workload_id == workload_id, Deployment.status.in_(RUNNING), ~is_parked))


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
