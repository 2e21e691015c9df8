"""Reconciliation: what runs is brought to what is wanted."""

import asyncio
from typing import TypedDict

from sqlalchemy import select, update
from tests.stand_ins import World

from towline.actions.access import SYSTEM
from towline.actions.configuration.places import Place as VariablePlace
from towline.actions.configuration.settings import WantedVariable, set_variables
from towline.actions.deployments.attempt import claim_next
from towline.actions.deployments.pipeline import run_deployment
from towline.actions.health import check_all
from towline.actions.reconcile import reconcile_all, reconcile_workload, unroute
from towline.actions.scaling import restart_workload, scale_workload, start_workload, stop_workload
from towline.models.deployments import Release
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload
from towline.values import DeploymentStatus, Instance, InstanceState


class Place(TypedDict):
    project: Project
    service: Service
    environment: Environment


async def instances(world: World) -> list[Instance]:
    return list(await world.platform.orchestrator.list_instances())


async def scale(world: World, replicas: int) -> None:
    async with world.platform.database.transaction() as work:
        workload = await scale_workload(
            world.platform,
            work,
            project=world.project,
            service=world.service,
            environment=world.environment,
            replicas=replicas,
        )
    await reconcile_workload(world.platform, workload.id)


async def test_scaling_up_and_down_ends_with_the_wanted_number_all_routed(world: World) -> None:
    await world.deploy_successfully()
    for replicas in (5, 2, 0, 1):
        await scale(world, replicas)
        assert len(await instances(world)) == replicas
        assert len(world.servers()) == replicas


async def test_an_instance_that_was_removed_by_somebody_comes_back(world: World) -> None:
    await world.deploy_successfully()
    [lost] = await instances(world)
    await world.platform.orchestrator.remove(lost, grace_seconds=0)
    await reconcile_all(world.platform)

    [new] = await instances(world)
    assert new.id != lost.id
    assert world.servers() == {f"http://{new.address}:8080"}


async def test_an_instance_that_died_gets_no_requests_until_it_answers_again(world: World) -> None:
    await world.deploy_successfully()
    [instance] = await instances(world)
    await world.platform.orchestrator.stop(instance, grace_seconds=0)
    workload_id = await unroute(world.platform, instance.id)
    assert world.servers() == set()
    await world.platform.orchestrator.start(instance)
    await reconcile_workload(world.platform, workload_id)

    assert len(world.servers()) == 1
    assert await unroute(world.platform, "ins_unknown") == ""


async def test_stop_and_start(world: World) -> None:
    await world.deploy_successfully()
    place = Place(project=world.project, service=world.service, environment=world.environment)
    async with world.platform.database.transaction() as work:
        await stop_workload(world.platform, work, **place)
    await reconcile_all(world.platform)
    assert (await instances(world), world.servers()) == ([], set())
    async with world.platform.database.transaction() as work:
        await start_workload(world.platform, work, **place)
    await reconcile_all(world.platform)

    assert len(world.servers()) == 1
    async with world.platform.database.transaction() as work:
        assert await work.session.scalar(select(Workload.health)) == "healthy"


async def test_a_restart_is_a_deployment_of_the_same_release(world: World) -> None:
    first = await world.deploy_successfully()
    [before] = await instances(world)
    async with world.platform.database.transaction() as work:
        await restart_workload(
            world.platform,
            work,
            project=world.project,
            service=world.service,
            environment=world.environment,
            requested_by=world.user.id,
        )
    restart = await world.run_next()
    [after] = await instances(world)

    assert restart.status == DeploymentStatus.SUCCESS
    assert restart.release_id == first.release_id
    assert after.id != before.id


async def test_instances_no_row_knows_are_removed(world: World) -> None:
    await world.deploy_successfully()
    workload = await world.get_workload()
    async with world.platform.database.transaction() as work:
        await work.session.execute(update(Workload).where(Workload.id == workload.id).values(release_id=None))
    await reconcile_all(world.platform)

    assert await instances(world) == []


async def test_health_changes_are_kept_and_told_once(world: World) -> None:
    await world.deploy_successfully()
    await check_all(world.platform)
    assert (await world.get_workload()).health == "healthy"
    [instance] = await instances(world)
    await world.platform.orchestrator.stop(instance, grace_seconds=0)
    await check_all(world.platform)
    workload = await world.get_workload()

    assert workload.health == "unhealthy"
    assert "not running" in workload.health_error
    assert [item.state for item in await instances(world)] == [InstanceState.EXITED]


async def test_a_health_error_quotes_no_secret(world: World) -> None:
    async with world.platform.database.transaction() as work:
        secret = WantedVariable("TOKEN", "s3cret-token", is_secret=True)
        await set_variables(world.platform, work, VariablePlace(world.project), [secret], caller=SYSTEM)
    await world.deploy_successfully()
    async with world.platform.database.transaction() as work:
        run = {"health": {"kind": "command", "command": ["s3cret-token"]}}
        await work.session.execute(update(Release).values(run=run))
    await check_all(world.platform)
    workload = await world.get_workload()

    assert "exit code 127" in workload.health_error
    assert "s3cret-token" not in workload.health_error


async def test_an_instance_that_became_healthy_after_a_deployment_began_gets_no_requests(world: World) -> None:
    await world.deploy_successfully("app:slow")
    [lost] = await instances(world)
    await world.platform.orchestrator.remove(lost, grace_seconds=0)
    late = asyncio.create_task(reconcile_all(world.platform))
    starting: list[Instance] = []
    async with asyncio.timeout(10):
        while not starting:
            await asyncio.sleep(0.01)
            starting = await instances(world)
    await world.request("app:2")
    deployment = await claim_next(world.platform)
    await late

    assert deployment is not None
    assert starting[0].id not in {item.id for item in await instances(world)}
    assert world.servers() == set()
    await run_deployment(world.platform, deployment, {})
    assert len(world.servers()) == len(await instances(world)) == 1
