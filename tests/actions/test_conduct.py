"""The conductor's reconciles: asked for by rings, bounded, none lost."""

import asyncio

from sqlalchemy import update
from tests.stand_ins import World

from towline.actions.conduct import Reconciles
from towline.models.services import Workload


async def want(world: World, replicas: int) -> str:
    workload = await world.get_workload()
    async with world.platform.database.transaction() as work:
        await work.session.execute(update(Workload).where(Workload.id == workload.id).values(replicas=replicas))
    return workload.id


async def wait_until_running(world: World, count: int) -> None:
    running = 0
    async with asyncio.timeout(10):
        while running < count:
            await asyncio.sleep(0.01)
            running = len(await world.platform.orchestrator.list_instances())


async def test_what_is_asked_for_during_a_reconcile_is_done_after_it(world: World) -> None:
    await world.deploy_successfully("app:slow")
    reconciles = Reconciles(world.platform)
    reconciles.ask(await want(world, 2))
    await wait_until_running(world, 2)
    reconciles.ask(await want(world, 3))
    await wait_until_running(world, 3)
    await reconciles.close()


async def test_all_workloads_are_reconciled_when_none_is_named(world: World) -> None:
    await world.deploy_successfully()
    await want(world, 2)
    reconciles = Reconciles(world.platform, at_once=1)
    reconciles.ask("")
    await wait_until_running(world, 2)
    await reconciles.close()
