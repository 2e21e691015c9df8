"""What a service needs counts for its health, and for as long as it is down only."""

from sqlalchemy import select, update
from tests.actions.groups.stack import Stack

from towline.actions.health import check_all
from towline.models.services import Workload
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator


async def health_of(stack: Stack) -> dict[str, tuple[str, str]]:
    await check_all(stack.platform)
    names = {service.id: name for name, service in stack.services.items()}
    async with stack.platform.database.transaction() as work:
        rows = await work.session.scalars(select(Workload))
        return {names[row.service_id]: (row.health, row.health_error) for row in rows}


async def test_services_are_degraded_while_something_they_need_is_down_and_healthy_afterwards(stack: Stack) -> None:
    await stack.add("docs")
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    engine = stack.platform.orchestrator
    assert isinstance(engine, MemoryOrchestrator)
    store = [item for item in await engine.list_instances() if "store" in item.name]
    await engine.stop(store[0], grace_seconds=0)
    found = await health_of(stack)

    assert found["store"][0] == "unhealthy"
    assert {name: found[name][0] for name in ("api", "web", "docs")} == {
        "api": "degraded",
        "web": "degraded",
        "docs": "healthy",
    }
    assert found["api"][1].startswith("store, which it needs, is down: ")

    await engine.start(store[0])
    again = await stack.request_one("store", "store:2")
    await stack.work()
    assert (await stack.world.get_deployment(again.id)).status == "success"
    assert set((await health_of(stack)).values()) == {("healthy", "")}


async def test_a_stopped_service_degrades_those_that_need_it(stack: Stack) -> None:
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    async with stack.platform.database.transaction() as work:
        mine = Workload.service_id == stack.services["api"].id
        await work.session.execute(update(Workload).where(mine).values(wanted="stopped"))
    found = await health_of(stack)

    assert found["web"] == ("degraded", "api, which it needs, is stopped.")
    assert found["store"] == ("healthy", "")
