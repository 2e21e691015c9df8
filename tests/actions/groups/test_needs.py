"""Single deployments: what they need comes first, what follows them comes after, each once."""

import asyncio

import pytest
from tests.actions.groups.stack import Stack

from towline.actions.dependencies import put_dependency
from towline.errors import DependencyCycle, InvalidInput
from towline.models.deployments import Deployment
from towline.models.services import Service
from towline.values import Trigger


async def give_sources(stack: Stack, images: dict[str, str]) -> None:
    """Let each service have an image that it is deployed from when nobody says more."""
    async with stack.platform.database.transaction() as work:
        for name, image in images.items():
            service = await work.session.get_one(Service, stack.services[name].id)
            service.source_config = {"image": image}
            stack.services[name] = service
    stack.world.service = stack.services["web"]


async def statuses(stack: Stack) -> dict[str, list[str]]:
    return {name: [one.status for one in await stack.get_all(name)] for name in stack.services}


async def newest(stack: Stack, name: str) -> Deployment:
    return (await stack.get_all(name))[-1]


async def test_what_a_service_needs_is_brought_up_first_in_order(stack: Stack) -> None:
    await give_sources(stack, {"api": "api:1", "store": "store:1"})
    web = await stack.request_one("web")
    assert web.queue_reason == "Waiting for api to be healthy."
    assert (await newest(stack, "api")).queue_reason == "Waiting for store to be healthy."
    await stack.work()

    assert await statuses(stack) == {"web": ["success"], "api": ["success"], "store": ["success"]}
    store, api, web = [await newest(stack, name) for name in ("store", "api", "web")]
    assert store.finished_at is not None
    assert api.started_at is not None
    assert api.finished_at is not None
    assert web.started_at is not None
    assert store.finished_at <= api.started_at <= api.finished_at <= web.started_at


async def test_what_is_live_and_healthy_is_left_alone(stack: Stack) -> None:
    await give_sources(stack, {"api": "api:1", "store": "store:1"})
    await stack.request_one("api")
    await stack.work()
    await stack.request_one("web")
    await stack.work()

    assert await statuses(stack) == {"web": ["success"], "api": ["success"], "store": ["success"]}


async def test_a_failed_dependency_fails_those_that_need_it_without_starting_them(stack: Stack) -> None:
    await give_sources(stack, {"api": "api:1", "store": "exits:1"})
    await stack.request_one("web")
    await stack.work()

    assert await statuses(stack) == {"web": ["failed"], "api": ["failed"], "store": ["failed"]}
    web, api = await newest(stack, "web"), await newest(stack, "api")
    assert (web.error or {})["code"] == "dependency-failed"
    assert "store is needed" in (api.error or {})["message"]
    assert "api is needed" in (web.error or {})["message"]
    assert "start" not in [step["step"] for step in [*web.steps, *api.steps]]


async def test_two_deployments_share_the_one_they_wait_for(stack: Stack) -> None:
    await stack.add("admin", "api")
    await give_sources(stack, {"api": "api:1", "store": "store:1"})
    await stack.request_one("web")
    await stack.request_one("admin")
    await stack.work()

    assert await statuses(stack) == {name: ["success"] for name in stack.services}


async def test_a_dependency_with_nothing_to_deploy_is_named(stack: Stack) -> None:
    with pytest.raises(InvalidInput, match="store is needed and has to be deployed first"):
        await stack.request_one("api")


async def test_a_success_deploys_what_follows_it_once_even_on_two_ways(stack: Stack) -> None:
    await stack.add("worker", "store", cascades=True)
    await stack.depend("api", "store", cascades=True)
    await stack.depend("web", "api", cascades=True)
    await stack.depend("web", "worker", cascades=True)
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    await stack.request_one("store", "store:2")
    await stack.work()

    counts = {name: len(await stack.get_all(name)) for name in stack.services}
    assert counts == {"store": 2, "api": 2, "worker": 2, "web": 2}
    last = {name: await newest(stack, name) for name in stack.services}
    assert {name: one.trigger for name, one in last.items() if name != "store"} == dict.fromkeys(
        ("api", "worker", "web"), Trigger.CASCADE.value
    )
    assert {one.status for one in last.values()} == {"success"}
    began = last["web"].started_at
    assert began is not None
    assert all((one.finished_at or began) <= began for name, one in last.items() if name != "web")
    assert await stack.served() == {"store": "store:2", "api": "api:1", "worker": "worker:1", "web": "web:1"}


async def test_what_does_not_want_to_follow_stays_and_so_it_does_after_a_failure(stack: Stack) -> None:
    await stack.depend("api", "store", cascades=True)
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    await stack.request_one("store", "exits:2")
    await stack.work()
    assert len(await stack.get_all("api")) == 1

    await stack.request_one("store", "store:2")
    await stack.work()
    assert {name: len(await stack.get_all(name)) for name in ("api", "web")} == {"api": 2, "web": 1}


async def test_a_group_sets_off_what_follows_it_outside_of_it_once(stack: Stack) -> None:
    await stack.depend("api", "store", cascades=True)
    await stack.depend("web", "api", cascades=True)
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    await stack.deploy({"store": "store:2", "api": "api:2"})

    assert {name: len(await stack.get_all(name)) for name in stack.services} == {"store": 2, "api": 2, "web": 2}
    assert (await newest(stack, "web")).trigger == Trigger.CASCADE


async def test_circles_are_refused_with_their_path(stack: Stack) -> None:
    for needed, path in (("web", "store → web → api → store"), ("store", "store → store")):
        with pytest.raises(DependencyCycle, match=path):
            await stack.depend("store", needed)


async def test_two_edges_at_once_do_not_close_a_circle_together(stack: Stack) -> None:
    await stack.add("one")
    await stack.add("two")
    edges = [("one", "two"), ("two", "one")]
    outcomes = await asyncio.gather(*(stack.depend(*edge) for edge in edges), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["DependencyCycle", "NoneType"]


async def test_services_of_two_projects_do_not_need_each_other(stack: Stack) -> None:
    foreign = Service(id="svc_other", project_id="prj_other", name="foreign", type="web", source_type="custom")
    async with stack.platform.database.transaction() as work:
        with pytest.raises(InvalidInput, match="another project"):
            await put_dependency(stack.platform, work, stack.services["web"], foreign, is_cascading=False)
