"""Claim, lease and fence: one worker at a time, nothing stuck, nothing twice."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from tests.stand_ins import World, make_world

from towline.actions.deployments.attempt import Attempt, claim_next, expire_dead_leases
from towline.actions.deployments.pipeline import run_deployment
from towline.actions.deployments.requests import cancel_deployment, release_worker_leases
from towline.actions.logs import LogWriter
from towline.errors import Conflict, FenceLost
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.services import Instance
from towline.values import DeploymentStatus, InstanceState, Step


async def expire_lease(world: World, deployment: Deployment) -> None:
    async with world.platform.database.transaction() as work:
        past = utc_now() - timedelta(seconds=1)
        await work.session.execute(update(Deployment).where(Deployment.id == deployment.id).values(lease_until=past))


async def interrupt_in(world: World, step: Step) -> Deployment:
    """A deployment whose worker died (as by kill -9: nothing is cleaned up) in a step."""
    claimed = await claim_next(world.platform)
    assert claimed is not None
    register: dict[str, Attempt] = {}
    job = asyncio.create_task(run_deployment(world.platform, claimed, register))
    while claimed.id not in register or register[claimed.id].deployment.step != step:
        assert not job.done(), f"ended before it was in {step}"
        await asyncio.sleep(0)
    job.cancel()
    await asyncio.wait([job])
    await expire_lease(world, claimed)
    return claimed


async def test_many_workers_claim_a_deployment_once(world: World) -> None:
    await world.request()
    claims = await asyncio.gather(*(claim_next(world.platform) for _ in range(8)))

    assert [claim is not None for claim in claims].count(True) == 1


async def test_a_second_deployment_of_the_workload_waits_for_the_first(world: World) -> None:
    await world.request("app:1")
    first = await claim_next(world.platform)
    await world.request("app:2")

    assert first is not None
    assert await claim_next(world.platform) is None


async def test_a_silent_worker_loses_its_deployment_and_may_not_write_any_more(world: World) -> None:
    await world.request()
    first = await claim_next(world.platform)
    assert first is not None
    await expire_lease(world, first)
    second = await claim_next(world.platform)

    assert second is not None
    assert (second.id, second.attempt) == (first.id, 2)
    async with LogWriter(world.platform, first.id, project_id=first.project_id) as log:
        stale = Attempt(world.platform, first, log)
        with pytest.raises(FenceLost):
            await stale.enter(Step.START)


async def test_leases_of_dead_workers_of_this_host_end_at_once(world: World) -> None:
    await world.request()
    first = await claim_next(world.platform)
    assert first is not None
    host = first.worker.partition(":")[0]
    await expire_dead_leases(world.platform, host=host, live_workers=frozenset({first.worker}))
    assert await claim_next(world.platform) is None
    await expire_dead_leases(world.platform, host=host, live_workers=frozenset({f"{host}:1:1"}))

    assert await claim_next(world.platform) is not None


async def test_a_worker_that_stops_lets_others_go_on(world: World) -> None:
    await world.request()
    first = await claim_next(world.platform)
    assert first is not None
    await release_worker_leases(world.platform, first.worker)

    assert await claim_next(world.platform) is not None


@pytest.mark.parametrize("step", [Step.BUILD, Step.START, Step.HEALTH, Step.SWITCH, Step.RETIRE])
async def test_a_deployment_interrupted_in_any_step_ends_well_and_leaves_nothing(world: World, step: Step) -> None:
    await world.deploy_successfully("app:1")
    await world.request("slow:2")
    interrupted = await interrupt_in(world, step)
    again = await world.run_next()

    assert again.id == interrupted.id
    assert again.status == DeploymentStatus.SUCCESS, again.error
    assert again.attempt == 2
    instances = await world.platform.orchestrator.list_instances()
    assert [item.state for item in instances] == [InstanceState.RUNNING]
    assert len(world.servers()) == 1
    async with world.platform.database.transaction() as work:
        assert (await work.session.scalars(select(Instance.id))).all() == [instances[0].id]


async def test_a_deployment_interrupted_too_often_fails_with_that_reason(world: World) -> None:
    await world.request("silent:1")
    for _ in range(6):
        await interrupt_in(world, Step.HEALTH)
    last = await world.run_next()

    assert last.status == DeploymentStatus.FAILED
    assert last.error is not None
    assert last.error["code"] == "repeatedly-interrupted"


async def test_a_queued_deployment_is_cancelled_on_the_spot_and_an_ended_one_cannot_be(world: World) -> None:
    deployment = await world.request()
    async with world.platform.database.transaction() as work:
        row = await work.session.get(Deployment, deployment.id)
        assert row is not None
        await cancel_deployment(world.platform, work, row)
    cancelled = await world.get_deployment(deployment.id)

    assert cancelled.status == DeploymentStatus.CANCELLED
    async with world.platform.database.transaction() as work:
        with pytest.raises(Conflict):
            await cancel_deployment(world.platform, work, cancelled)


async def test_a_rollback_first_cancels_what_runs(world: World) -> None:
    first = await world.deploy_successfully("app:1")
    await world.request("silent:2")
    claimed = await claim_next(world.platform)
    assert claimed is not None
    register: dict[str, Attempt] = {}
    job = asyncio.create_task(run_deployment(world.platform, claimed, register))
    await world.wait_for_step(claimed.id, "health")
    await world.request_rollback(1)
    register[claimed.id].nudge()
    await asyncio.wait_for(job, 2)
    rollback = await world.run_next()

    assert (await world.get_deployment(claimed.id)).status == DeploymentStatus.SUPERSEDED
    assert rollback.release_id == first.release_id
    assert rollback.status == DeploymentStatus.SUCCESS


async def test_projects_take_turns_and_none_gets_all_places(world: World) -> None:
    settings = world.platform.settings.model_copy(update={"deploy_concurrency": 4})
    platform = replace(world.platform, settings=settings)
    busy = [await make_world(platform, name=f"busy{number}") for number in range(5)]
    for other in busy[1:]:
        await other.change_service(project_id=busy[0].project.id, name=other.project.name)
    for one in busy:
        await replace(one, project=busy[0].project, environment=busy[0].environment).request()
    claims = [await claim_next(platform) for _ in range(5)]
    assert [claim is not None for claim in claims] == [True, True, True, False, False]

    late = await replace(world, platform=platform).request()
    claim = await claim_next(platform)
    assert claim is not None
    assert claim.id == late.id
