"""What runs, through the HTTP door: status, instances, health, scaling, stopping and starting."""

from datetime import timedelta
from typing import Any

import pytest
from tests.stand_ins import World, make_world
from tests.web.door import Door, Person

from towline.contract.status import HealthCheckList, InstanceList, ServiceStatus, ServiceStatusList
from towline.models.base import utc_now
from towline.models.history import HealthCheck
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator

SERVICE = "/projects/shop/services/web"


@pytest.fixture
async def world(door: Door) -> World:
    """A project `shop` with the service `web`."""
    return await make_world(door.platform)


@pytest.fixture
async def ann(door: Door, world: World) -> Person:
    """The owner of `shop`."""
    return await door.add_key(world.user.id)


async def test_a_service_that_was_never_deployed_has_a_status(ann: Person) -> None:
    status = ServiceStatus.model_validate(await ann.get(f"{SERVICE}/status"))
    assert (status.state, status.health, status.running, status.release) == ("stopped", "unknown", 0, None)
    assert (await ann.get(f"{SERVICE}/instances"))["items"] == []
    assert (await ann.get(f"{SERVICE}/health"))["items"] == []
    assert (await ann.get(f"{SERVICE}/releases"))["items"] == []
    assert (await ann.get(f"{SERVICE}/logs"))["items"] == []
    for part in ("status", "instances", "health", "releases", "logs"):
        assert (await ann.call("GET", f"{SERVICE}/{part}", params={"environment": "mars"})).status_code == 404


async def test_all_services_of_a_project_are_told_at_once_as_each_is_alone(ann: Person, world: World) -> None:
    await ann.post("/projects/shop/services", {"name": "api"})
    await world.deploy_successfully()
    api, web = ServiceStatusList.model_validate(await ann.get("/projects/shop/statuses")).items
    alone = ServiceStatus.model_validate(await ann.get(f"{SERVICE}/status"))
    assert (api.state, api.instances, api.last_deployment_id) == ("stopped", [], None)
    [instance] = web.instances
    [same] = alone.instances
    assert instance.model_copy(update={"started_at": same.started_at}) == same
    assert web.model_copy(update={"instances": alone.instances}) == alone
    await ann.post("/projects/shop/environments", {"name": "staging"})
    staged = (await ann.get("/projects/shop/statuses", environment="staging"))["items"]
    assert [one["state"] for one in staged] == ["stopped", "stopped"]
    assert (await ann.call("GET", "/projects/shop/statuses", params={"environment": "mars"})).status_code == 404


async def test_a_running_service_shows_its_instances(ann: Person, world: World) -> None:
    deployment = await world.deploy_successfully()
    status = ServiceStatus.model_validate(await ann.get(f"{SERVICE}/status"))
    assert (status.state, status.running, status.release) == ("running", 1, 1)
    assert (status.deployment_id, status.last_deployment_id) == (None, deployment.id)
    assert status.urls == ["http://web-shop.localhost"]
    [instance] = InstanceList.model_validate(await ann.get(f"{SERVICE}/instances")).items
    assert (instance.state, instance.is_routed, instance.release, instance.port) == ("running", True, 1, 8080)
    assert [instance] == status.instances


async def test_the_status_is_told_even_while_docker_does_not_answer(ann: Person, world: World) -> None:
    await world.deploy_successfully()
    orchestrator = world.platform.orchestrator
    assert isinstance(orchestrator, MemoryOrchestrator)
    orchestrator.lose()
    status = await ann.get(f"{SERVICE}/status")
    platform = await ann.get("/platform")
    releases = (await ann.get(f"{SERVICE}/releases"))["items"]
    orchestrator.is_down = False
    assert (status["release"], status["instances"]) == (1, [])
    assert "stand-in engine" in status["error"]
    assert platform["docker"]["is_available"] is False
    assert [item["number"] for item in releases] == [1]


async def test_what_is_stopped_or_was_never_deployed_is_neither_running_nor_healthy(ann: Person, world: World) -> None:
    await ann.call("POST", f"{SERVICE}/scale", json={"replicas": 2})
    never = ServiceStatus.model_validate(await ann.get(f"{SERVICE}/status"))
    assert (never.state, never.health, never.replicas) == ("stopped", "unknown", 2)
    await world.deploy_successfully()
    answer = await ann.call("POST", f"{SERVICE}/stop", json={})
    stopped = ServiceStatus.model_validate(answer.json())
    assert (stopped.state, stopped.health, stopped.response_ms) == ("stopped", "unknown", None)


@pytest.mark.parametrize(
    ("action", "body", "state", "replicas"),
    [
        ("scale", {"replicas": 3}, "running", 3),
        ("stop", {}, "stopped", 1),
        ("start", {}, "running", 1),
        ("restart", {}, "running", 1),
    ],
)
async def test_the_wanted_state_is_accepted_and_shown(
    ann: Person, world: World, action: str, body: dict[str, Any], state: str, replicas: int
) -> None:
    await world.deploy_successfully()
    answer = await ann.call("POST", f"{SERVICE}/{action}", json=body)
    assert answer.status_code == 202, answer.text
    status = ServiceStatus.model_validate(answer.json())
    assert (status.state, status.replicas) == (state, replicas)
    assert (status.deployment_id is not None) == (action == "restart")


@pytest.mark.parametrize("action", ["start", "restart"])
async def test_what_was_never_deployed_cannot_be_started(ann: Person, action: str) -> None:
    assert (await ann.call("POST", f"{SERVICE}/{action}", json={})).status_code == 409


async def test_health_checks_come_in_pages_newest_first(ann: Person, world: World) -> None:
    await world.deploy_successfully()
    workload, now = await world.get_workload(), utc_now()
    async with world.platform.database.transaction() as work:
        for number in range(5):
            at = now - timedelta(seconds=number)
            work.session.add(HealthCheck(workload_id=workload.id, checked_at=at, status="healthy", response_ms=number))
    first = HealthCheckList.model_validate(await ann.get(f"{SERVICE}/health", limit=3))
    rest = HealthCheckList.model_validate(await ann.get(f"{SERVICE}/health", limit=3, cursor=first.next_cursor))
    assert [item.response_ms for item in [*first.items, *rest.items]] == [0, 1, 2, 3, 4]
    assert rest.next_cursor is None
