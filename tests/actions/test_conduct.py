"""The conductor: one process does the periodic work, another takes over, nothing it is asked for is lost."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text, update
from tests.stand_ins import World

from towline.actions.conduct import Reconciles, conduct
from towline.infra.database import Database
from towline.models.services import Workload
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.routing.memory import MemoryRouter
from towline.values import Instance, InstanceEvent


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


class CountingEngine(MemoryOrchestrator):
    """Counts how often somebody looks at all instances, which only the conductor does."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    async def list_instances(self) -> Sequence[Instance]:
        """All of them."""
        self.looks += 1
        return await super().list_instances()


@asynccontextmanager
async def conductor(world: World) -> AsyncGenerator[CountingEngine]:
    """The engine of a further process that does the periodic work whenever it may, every 50 ms."""
    settings = world.platform.settings
    quick = settings.model_copy(update={"sweep_interval": timedelta(milliseconds=50)})
    engine, database = CountingEngine(), Database(settings.database_url)
    platform = replace(world.platform, settings=quick, orchestrator=engine, database=database)
    task = asyncio.create_task(conduct(platform))
    async with engine.session():
        try:
            yield engine
        finally:
            task.cancel()
            await asyncio.wait([task])
            await database.close()
        assert task.cancelled()


async def wait_until(is_so: Callable[[], bool]) -> None:
    holds = is_so()
    async with asyncio.timeout(10):
        while not holds:
            await asyncio.sleep(0.01)
            holds = is_so()


async def wait_for_looks(engine: CountingEngine, *, more: int = 2) -> None:
    before = engine.looks
    await wait_until(lambda: engine.looks >= before + more)


async def test_one_of_two_processes_does_the_periodic_work_and_the_other_takes_over(world: World) -> None:
    async with AsyncExitStack() as stack:
        async with conductor(world) as first:
            await wait_for_looks(first)
            second = await stack.enter_async_context(conductor(world))
            await wait_for_looks(first)
            assert second.looks == 0
        await wait_for_looks(second)


async def test_the_periodic_work_goes_on_after_the_database_was_lost(world: World) -> None:
    async with conductor(world) as engine:
        await wait_for_looks(engine)
        async with world.platform.database.connection() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
            await connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
        await wait_for_looks(engine)


async def test_the_periodic_work_goes_on_after_the_engine_was_lost(world: World) -> None:
    async with conductor(world) as engine:
        await wait_for_looks(engine)
        engine.lose()
        await wait_for_looks(engine)
        engine.is_down = False
        await wait_for_looks(engine)


async def test_a_defect_in_a_role_ends_the_process(world: World) -> None:
    class Broken(CountingEngine):
        async def list_instances(self) -> Sequence[Instance]:
            raise RuntimeError

    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(conduct(replace(world.platform, orchestrator=Broken())), 10)


async def test_an_instance_that_dies_is_routed_away_and_replaced(world: World) -> None:
    await world.deploy_successfully()
    [lost] = await world.platform.orchestrator.list_instances()
    assert isinstance(world.platform.router, MemoryRouter)
    task = asyncio.create_task(conduct(world.platform))
    try:
        await wait_until_running(world, 1)
        await asyncio.sleep(0)
        await world.platform.orchestrator.stop(lost, grace_seconds=0)
        await wait_until(lambda: bool(world.servers()) and f"http://{lost.address}:8080" not in world.servers())
    finally:
        task.cancel()
        await asyncio.wait([task])
    lists = [{server for route in routes for server in route.servers} for _, routes in world.platform.router.history]

    assert set() in lists[-3:-1]


class EarlyEngine(MemoryOrchestrator):
    """Tells of an exit long before it shows the death."""

    def __init__(self) -> None:
        super().__init__()
        self.exits: asyncio.Queue[InstanceEvent] = asyncio.Queue()

    async def follow_events(self) -> AsyncGenerator[InstanceEvent]:
        """Just what the test puts in."""
        while True:
            yield await self.exits.get()


async def test_an_exit_is_routed_away_at_once_and_replaced_only_after_the_engine_knows(world: World) -> None:
    engine = EarlyEngine()
    world = replace(world, platform=replace(world.platform, orchestrator=engine))
    async with engine.session():
        await world.deploy_successfully()
        [lost] = await engine.list_instances()
        workload = await world.get_workload()
        task = asyncio.create_task(conduct(world.platform))
        try:
            await engine.exits.put(InstanceEvent("exit", lost.id, workload.id))
            await wait_until(lambda: not world.servers())
            await engine.stop(lost, grace_seconds=0)
            assert not world.servers()
            await engine.exits.put(InstanceEvent("die", lost.id, workload.id, exit_code=137))
            await wait_until(lambda: bool(world.servers()))
        finally:
            task.cancel()
            await asyncio.wait([task])
