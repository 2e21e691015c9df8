"""Interruptions: what was lost comes back, and a deployment goes on, forward or back, never half."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import select, text, update
from tests.stand_ins import World

from towline.actions.deployments.attempt import Attempt, claim_next
from towline.actions.deployments.job import load_job, make_run_spec
from towline.actions.deployments.pipeline import run_deployment
from towline.actions.logs import read_lines
from towline.actions.reconcile import reconcile_all
from towline.actions.scaling import restart_workload
from towline.models.base import utc_now
from towline.models.deployments import Deployment, Release
from towline.models.services import Instance as InstanceRow
from towline.names import new_id
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.values import DeploymentStatus, Instance, InstanceState, RunSpec, Step


def engine_of(world: World) -> MemoryOrchestrator:
    engine = world.platform.orchestrator
    assert isinstance(engine, MemoryOrchestrator)
    return engine


async def instances(world: World) -> list[Instance]:
    return list(await world.platform.orchestrator.list_instances())


async def end_lease(world: World, deployment: Deployment, **values: object) -> None:
    past = {"lease_until": utc_now() - timedelta(seconds=1)}
    async with world.platform.database.transaction() as work:
        statement = update(Deployment).where(Deployment.id == deployment.id).values({**past, **values})
        await work.session.execute(statement)


def count_entries(deployment: Deployment, step: Step) -> int:
    return [entry["step"] for entry in deployment.steps].count(step)


@asynccontextmanager
async def running_in(world: World, step: Step, *, entered: int = 1) -> AsyncGenerator[asyncio.Task[None]]:
    """The next deployment while it runs, once it has entered a step so many times; ended on leaving."""
    claimed = await claim_next(world.platform)
    assert claimed is not None
    register: dict[str, Attempt] = {}
    job = asyncio.create_task(run_deployment(world.platform, claimed, register))
    while claimed.id not in register or count_entries(register[claimed.id].deployment, step) < entered:
        assert not job.done(), f"ended before it was in {step}"
        await asyncio.sleep(0)
    yield job
    job.cancel()
    await asyncio.wait([job])


async def spec_of(world: World) -> RunSpec:
    workload = await world.get_workload()
    async with world.platform.database.transaction() as work:
        job = await load_job(work, workload.id)
        release = (await work.session.scalars(select(Release).where(Release.id == workload.release_id))).one()
    return await make_run_spec(world.platform, job, release, deployment_id=release.deployment_id)


async def test_a_deployment_that_loses_the_engine_goes_on_once_it_is_back(world: World) -> None:
    await world.deploy_successfully("app:1")
    before = world.servers()
    await world.request("slow:2")
    async with running_in(world, Step.HEALTH) as job:
        engine_of(world).lose()
        await asyncio.wait_for(job, 10)
    [waiting] = await open_deployments(world)
    assert "Trying again in 1 s" in waiting.queue_reason
    assert world.servers() == before
    engine_of(world).is_down = False
    await end_lease(world, waiting)
    final = await world.run_next()

    assert (final.status, final.attempt) == (DeploymentStatus.SUCCESS, 2), final.error
    assert len(await instances(world)) == len(world.servers()) == 1
    assert world.servers() != before


async def open_deployments(world: World) -> list[Deployment]:
    async with world.platform.database.transaction() as work:
        return list(await work.session.scalars(select(Deployment).where(Deployment.finished_at.is_(None))))


async def test_an_engine_that_stays_away_fails_the_deployment_with_that_reason(world: World) -> None:
    await world.deploy_successfully("app:1")
    before = world.servers()
    requested = await world.request("app:2")
    await end_lease(world, requested, attempt=5)
    engine_of(world).lose()
    failed = await world.run_next()

    assert failed.status == DeploymentStatus.FAILED
    assert failed.error is not None
    assert failed.error["code"] == "orchestrator-unavailable"
    assert world.servers() == before


async def test_a_deployment_that_loses_the_database_goes_on(world: World) -> None:
    await world.deploy_successfully("app:1")
    await world.request("slow:2")
    async with running_in(world, Step.HEALTH) as job:
        async with world.platform.database.connection() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
            await connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
        await asyncio.wait_for(job, 10)
    for waiting in await open_deployments(world):
        await end_lease(world, waiting)
        await world.run_next()

    assert await open_deployments(world) == []
    assert len(await instances(world)) == len(world.servers()) == 1


async def test_old_instances_that_cannot_be_removed_do_not_fail_a_deployment_that_serves(world: World) -> None:
    await world.deploy_successfully("app:1")
    second = await world.request("app:2")
    async with running_in(world, Step.RETIRE) as job:
        engine_of(world).lose()
        await asyncio.wait_for(job, 10)
    engine_of(world).is_down = False
    final = await world.get_deployment(second.id)
    await reconcile_all(world.platform)

    assert final.status == DeploymentStatus.SUCCESS, final.error
    lines = [line["message"] for line in await read_lines(world.platform, second.id)]
    assert any("left to reconciliation" in line for line in lines)
    assert [item.deployment_id for item in await instances(world)] == [second.id]


async def test_a_rollout_that_fails_half_way_goes_back_to_the_release_before(world: World) -> None:
    await world.change_service(run={"replicas": 2, "max_surge": 1})
    first = await world.deploy_successfully("app:1")
    second = await world.request("slow:2")
    async with running_in(world, Step.HEALTH, entered=2) as job:
        routed = world.servers()
        new = [item for item in await instances(world) if item.deployment_id == second.id]
        await engine_of(world).crash(max(new, key=lambda item: item.id))
        await asyncio.wait_for(job, 10)
    failed = await world.get_deployment(second.id)
    await reconcile_all(world.platform)

    assert len(routed) == 2
    assert failed.status == DeploymentStatus.FAILED
    assert (await world.get_workload()).release_id == first.release_id
    assert {item.release_id for item in await instances(world)} == {first.release_id}
    assert len(await instances(world)) == len(world.servers()) == 2


async def test_a_restart_interrupted_after_its_switch_ends_with_the_new_instance_alone(world: World) -> None:
    await world.deploy_successfully("app:1")
    async with world.platform.database.transaction() as work:
        await restart_workload(
            world.platform,
            work,
            project=world.project,
            service=world.service,
            environment=world.environment,
            requested_by=world.user.id,
        )
    async with running_in(world, Step.RETIRE):
        pass
    [interrupted] = await open_deployments(world)
    await end_lease(world, interrupted)
    restart = await world.run_next()

    assert restart.status == DeploymentStatus.SUCCESS, restart.error
    assert [item.deployment_id for item in await instances(world)] == [restart.id]
    assert len(world.servers()) == 1


async def test_an_instance_at_another_address_is_routed_there(world: World) -> None:
    await world.deploy_successfully()
    [before] = await instances(world)
    await engine_of(world).crash(before)
    [after] = await instances(world)
    assert after.address != before.address
    await reconcile_all(world.platform)

    assert world.servers() == {f"http://{after.address}:8080"}


async def test_a_row_without_an_instance_is_deleted_and_gets_no_requests(world: World) -> None:
    await world.deploy_successfully()
    [real] = await instances(world)
    async with world.platform.database.transaction() as work:
        work.session.add(
            InstanceRow(
                id=new_id("ins"),
                workload_id=real.workload_id,
                release_id=real.release_id,
                deployment_id=real.deployment_id,
                engine_id="gone",
                name="gone",
                address="127.9.9.9",
                port=8080,
                is_routed=True,
            )
        )
    await reconcile_all(world.platform)

    assert world.servers() == {f"http://{real.address}:8080"}
    async with world.platform.database.transaction() as work:
        assert (await work.session.scalars(select(InstanceRow.id))).all() == [real.id]


async def test_instances_made_but_never_started_are_replaced(world: World) -> None:
    await world.deploy_successfully()
    spec = await spec_of(world)
    [real] = await instances(world)
    await world.platform.orchestrator.remove(real, grace_seconds=0)
    start = asyncio.create_task(world.platform.orchestrator.deploy(spec, count=2))
    await asyncio.sleep(0)
    start.cancel()
    await asyncio.wait([start])
    assert InstanceState.STARTING in {item.state for item in await instances(world)}
    await reconcile_all(world.platform)

    assert [item.state for item in await instances(world)] == [InstanceState.RUNNING]
    assert len(world.servers()) == 1
