"""A group: all new or all old, whoever fails, whoever is cancelled, whatever dies."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from tests.actions.groups.stack import Stack, ended

from towline.actions.deployments.requests import cancel_deployment
from towline.actions.deployments.waiting import cancel_open_group
from towline.actions.groups.attempt import GroupAttempt, claim_next_group
from towline.actions.groups.run import run_group
from towline.actions.reconcile import reconcile_all
from towline.errors import Conflict, RouterUnavailable
from towline.models.deployments import Deployment
from towline.models.groups import Candidate, Group
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.routing.memory import MemoryRouter
from towline.values import DeploymentStatus, InstanceState, Route

FIRST = {"web": "web:1", "api": "api:1", "store": "store:1"}
SECOND = {"web": "web:2", "api": "api:2", "store": "store:2"}


def router_of(stack: Stack) -> MemoryRouter:
    router = stack.platform.router
    assert isinstance(router, MemoryRouter)
    return router


async def running(stack: Stack) -> int:
    instances = await stack.platform.orchestrator.list_instances()
    return sum(instance.state is InstanceState.RUNNING for instance in instances)


async def wait_for_group_step(stack: Stack, group_id: str, step: str) -> None:
    async with asyncio.timeout(10):
        while True:
            if (await stack.get_group(group_id)).step == step:
                return
            await asyncio.sleep(0.01)


async def test_all_services_switch_in_one_publication(stack: Stack) -> None:
    await stack.deploy(FIRST)
    history = router_of(stack).history
    history.clear()
    group = await stack.deploy(SECOND)

    assert ended(group) == "success"
    assert await stack.served() == SECOND
    assert await running(stack) == 3
    before, switched = [routes for _, routes in history]
    assert {route.servers for route in public(before)}.isdisjoint(route.servers for route in public(switched))
    members = await stack.get_members(group.id)
    assert {member.status for member in members.values()} == {"success"}


def public(routes: list[Route]) -> list[Route]:
    return [route for route in routes if not route.internal_from]


async def test_members_start_in_the_order_of_their_needs(stack: Stack) -> None:
    members = await stack.get_members((await stack.deploy(FIRST)).id)
    times = {
        name: {step["step"]: step for step in member.steps if step["step"] in {"start", "health"}}
        for name, member in members.items()
    }

    assert times["store"]["health"]["finished_at"] <= times["api"]["start"]["started_at"]
    assert times["api"]["health"]["finished_at"] <= times["web"]["start"]["started_at"]


@pytest.mark.parametrize("bad", ["web", "api", "store"])
async def test_one_bad_member_leaves_everything_as_it_was_and_is_named(stack: Stack, bad: str) -> None:
    await stack.deploy(FIRST)
    group = await stack.deploy({**SECOND, bad: "exits:2"})

    assert ended(group).startswith(f"failed {bad}: ")
    assert await stack.served() == FIRST
    assert await running(stack) == 3
    members = await stack.get_members(group.id)
    assert {name: member.status for name, member in members.items()} == {
        name: "failed" if name == bad else "cancelled" for name in FIRST
    }
    assert all(bad in (member.error or {})["message"] for name, member in members.items() if name != bad)


async def test_what_needs_a_bad_member_is_not_started(stack: Stack) -> None:
    members = await stack.get_members((await stack.deploy({**FIRST, "store": "exits:1"})).id)

    assert "start" not in [step["step"] for name in ("api", "web") for step in members[name].steps]


@pytest.mark.parametrize("is_built", [True, False])
async def test_a_member_that_cannot_be_made_ends_the_group_before_anything_starts(
    stack: Stack, *, is_built: bool
) -> None:
    await stack.deploy(FIRST)
    group = await stack.request({**SECOND, "api": "missing:2"}, no_cache=is_built)
    await stack.work()
    group = await stack.get_group(group.id)

    assert ended(group).startswith("failed api: ")
    assert await stack.served() == FIRST
    members = await stack.get_members(group.id)
    assert all("start" not in [step["step"] for step in member.steps] for member in members.values())


async def test_a_router_that_does_not_take_the_switch_puts_everything_back(stack: Stack) -> None:
    await stack.deploy(FIRST)
    router = router_of(stack)
    confirm, refused = router.wait_until_confirmed, 0

    async def refuse_new(owner: str, routes: Sequence[Route], *, timeout: timedelta) -> None:
        nonlocal refused
        if not any(route.key.startswith("candidate-") for route in routes):
            refused += 1
            raise RouterUnavailable("The router was told to refuse.")
        await confirm(owner, routes, timeout=timeout)

    router.wait_until_confirmed = refuse_new
    group = await stack.deploy(SECOND)

    assert ended(group) == "failed The router was told to refuse."
    assert refused == 3
    assert await stack.served() == FIRST
    assert await stack.images() == FIRST
    assert await running(stack) == 3


async def test_members_never_hold_the_places_that_others_of_their_group_need(stack: Stack) -> None:
    for number in range(6):
        await stack.add(f"extra-{number}", "store")
    images = {name: f"{name}:1" for name in stack.services}
    group = await stack.request(images, no_cache=True)
    await stack.work(at_once=1)

    assert ended(await stack.get_group(group.id)) == "success"
    assert await stack.served() == images


async def test_a_group_waits_for_the_older_one_and_supersedes_the_waiting_it_covers(stack: Stack) -> None:
    small = await stack.request({"store": "store:0"})
    covered = await stack.request({"api": "api:0"})
    newest = await stack.request({"api": "api:1", "web": "web:1"})
    assert newest.queue_reason == f"Waiting for group {small.number}."
    await stack.work()

    ends = [ended(await stack.get_group(group.id)) for group in (small, covered, newest)]
    assert ends == ["success", "superseded", "success"]
    assert await stack.served() == {"store": "store:0", "api": "api:1", "web": "web:1"}


async def test_cancelling_one_member_cancels_its_group(stack: Stack) -> None:
    await stack.deploy(FIRST)
    group = await stack.request({**SECOND, "web": "silent:2"})
    working = asyncio.create_task(stack.work())
    await wait_for_group_step(stack, group.id, "start")
    members = await stack.get_members(group.id)
    async with stack.platform.database.transaction() as work:
        member = await work.session.get_one(Deployment, members["api"].id)
        await cancel_deployment(stack.platform, work, member)
    await working

    assert ended(await stack.get_group(group.id)) == "cancelled"
    assert await stack.served() == FIRST
    assert {member.status for member in (await stack.get_members(group.id)).values()} == {"cancelled"}
    with pytest.raises(Conflict, match="already ended"):
        async with stack.platform.database.transaction() as work:
            await cancel_open_group(stack.platform, work, await work.session.get_one(Group, group.id))


async def test_a_group_nobody_has_begun_is_cancelled_too(stack: Stack) -> None:
    group = await stack.request(FIRST)
    async with stack.platform.database.transaction() as work:
        await cancel_open_group(stack.platform, work, await work.session.get_one(Group, group.id))
    await stack.work()

    assert ended(await stack.get_group(group.id)) == "cancelled"


@pytest.mark.parametrize("step", ["start", "switch", "retire"])
async def test_a_worker_that_dies_in_any_step_leaves_a_group_that_ends_all_new(stack: Stack, step: str) -> None:
    await stack.deploy(FIRST)
    group = await stack.request(SECOND, no_cache=True)
    await interrupt_in(stack, group, step)
    before = await stack.served()
    await stack.work()

    assert before in (FIRST, SECOND)
    assert ended(await stack.get_group(group.id)) == "success"
    assert await stack.served() == SECOND
    assert await running(stack) == 3


async def test_a_group_that_dies_and_then_fails_ends_all_old(stack: Stack) -> None:
    await stack.deploy(FIRST)
    group = await stack.request({**SECOND, "web": "slow-exits:2"})
    await interrupt_in(stack, group, "start")
    await stack.work()

    assert ended(await stack.get_group(group.id)).startswith("failed web: ")
    assert await stack.served() == FIRST
    assert await running(stack) == 3


async def interrupt_in(stack: Stack, group: Group, step: str) -> None:
    """Let the worker of a group die (as by kill -9: nothing is cleaned up) in a step."""
    building = asyncio.create_task(stack.build())
    await building
    claimed = await claim_next_group(stack.platform)
    assert claimed is not None
    register: dict[str, GroupAttempt] = {}
    job = asyncio.create_task(run_group(stack.platform, claimed, register))
    while claimed.group.id not in register or register[claimed.group.id].group.step != step:
        assert not job.done(), f"ended before it was in {step}"
        await asyncio.sleep(0)
    job.cancel()
    await asyncio.wait([job])
    await stack.expire_leases()


async def test_candidates_find_each_other_and_what_serves_finds_what_serves(stack: Stack) -> None:
    await stack.deploy(FIRST)
    history = router_of(stack).history
    history.clear()
    await stack.deploy(SECOND)

    _, announced = history[0]
    _, switched = history[-1]
    candidates = {route.host: route for route in announced if route.key.startswith("candidate-")}
    assert set(candidates) == {"web.internal", "api.internal", "store.internal"}
    everyone = {route.host: route for route in announced if route.key.startswith("internal-")}
    for host, route in candidates.items():
        assert route.servers
        assert not set(route.servers) & set(everyone[host].servers)
        assert route.internal_from != everyone[host].internal_from
    after = {route.host: route.servers for route in switched if route.key.startswith("internal-")}
    assert after == {host: route.servers for host, route in candidates.items()}
    assert not [route for route in switched if route.key.startswith("candidate-")]
    async with stack.platform.database.transaction() as work:
        assert await work.session.get(Candidate, ("", "")) is None


async def test_a_candidate_whose_port_is_found_later_is_published_then(stack: Stack) -> None:
    await stack.world.change_service(port=None)
    stack.services["web"] = stack.world.service
    await stack.deploy({**FIRST, "web": "other-port:1"})

    ports = {
        server.rpartition(":")[2]
        for _, routes in router_of(stack).history
        for route in routes
        if route.key.startswith("candidate-") and route.host == "web.internal"
        for server in route.servers
    }
    assert "9999" in ports


async def test_a_service_with_a_volume_is_replaced_last_and_comes_back_when_the_group_fails(stack: Stack) -> None:
    await stack.add("files", run={"volumes": [{"name": "files", "path": "/files"}]})
    await stack.depend("api", "files")
    await stack.deploy({**FIRST, "files": "files:1"})
    group = await stack.request({"api": "api:2", "files": "files:2"})
    assert group.interrupts == ["files"]
    await stack.work()
    members = await stack.get_members(group.id)
    began = {name: step["started_at"] for name in members for step in members[name].steps if step["step"] == "start"}
    assert began["files"] > began["api"]
    assert (await stack.served())["files"] == "files:2"

    failed = await stack.deploy({"api": "api:3", "files": "exits:3"})
    assert ended(failed).startswith("failed files: ")
    await reconcile_all(stack.platform)
    assert await stack.served() == {"web": "web:1", "api": "api:2", "store": "store:1", "files": "files:2"}


async def test_the_newest_group_is_undone_and_an_older_one_gone_back_to(stack: Stack) -> None:
    first = await stack.deploy(FIRST)
    await stack.deploy(SECOND)
    await stack.deploy({"api": "api:3"})
    await stack.request_rollback()
    await stack.work()
    assert await stack.served() == SECOND

    await stack.request_rollback()
    await stack.work()
    assert await stack.served() == FIRST

    with pytest.raises(Conflict, match="runs that release already"):
        await stack.request_rollback(first.id)


async def test_a_lost_engine_only_delays_a_group(stack: Stack) -> None:
    await stack.deploy(FIRST)
    engine = stack.platform.orchestrator
    assert isinstance(engine, MemoryOrchestrator)
    group = await stack.request(SECOND)
    await stack.build()
    engine.lose()
    claimed = await claim_next_group(stack.platform)
    assert claimed is not None
    job = asyncio.create_task(run_group(stack.platform, claimed, {}))
    async with asyncio.timeout(10):
        while True:
            if "Trying again" in (await stack.get_group(group.id)).queue_reason:
                break
            await asyncio.sleep(0.01)
    engine.is_down = False
    await job
    await stack.work()

    assert ended(await stack.get_group(group.id)) == "success"
    assert await stack.served() == SECOND


async def test_a_deployment_of_one_member_waits_for_the_group(stack: Stack) -> None:
    group = await stack.request(FIRST)
    single = await stack.world.request("web:9")
    await stack.work()

    assert ended(await stack.get_group(group.id)) == "success"
    assert (await stack.world.get_deployment(single.id)).status == DeploymentStatus.SUCCESS
    assert (await stack.served())["web"] == "web:9"
