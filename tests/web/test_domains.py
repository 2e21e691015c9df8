"""Custom domains through the HTTP door."""

import socket
from typing import Any, cast

import pytest
from tests.web.door import Door, Person

from towline.contract.domains import Route
from towline.routing.memory import MemoryRouter


@pytest.fixture
async def ann(door: Door) -> Person:
    """Someone with a project `shop` and a web service `api`."""
    person = await door.add_person()
    await person.post("/projects", {"name": "shop"})
    await person.post("/projects/shop/services", {"name": "api"})
    return person


async def _add(person: Person, host: str, **fields: Any) -> Any:
    return await person.call("POST", "/projects/shop/services/api/routes", json={"host": host, **fields})


def _published(door: Door) -> set[tuple[str, str, bool]]:
    router = cast("MemoryRouter", door.platform.router)
    routes = [route for routes in router.routes.values() for route in routes if not route.internal_from]
    return {(route.host, route.path_prefix, route.middlewares.strip_prefix) for route in routes}


async def test_a_domain_is_led_to_the_service_at_once_and_taken_away_again(door: Door, ann: Person) -> None:
    answer = await _add(ann, "Shop.Example.com", path_prefix="/api/", strip_prefix=True)
    route = Route.model_validate(answer.json())
    assert (route.host, route.path_prefix, route.kind) == ("shop.example.com", "/api", "custom")
    assert (route.url, route.certificate) == ("http://shop.example.com/api", "none")
    assert _published(door) == {("shop.example.com", "/api", True)}
    listed = (await ann.get("/projects/shop/services/api/routes"))["items"]
    assert [Route.model_validate(item) for item in listed] == [route]
    await ann.delete(f"/projects/shop/services/api/routes/{route.id}")
    assert _published(door) == set()


async def test_a_host_belongs_to_one_project(door: Door, ann: Person) -> None:
    assert (await _add(ann, "shop.example.com")).status_code == 201
    assert (await _add(ann, "shop.example.com")).status_code == 409
    assert (await _add(ann, "shop.example.com", path_prefix="/blog")).status_code == 201
    bob = await door.add_person()
    await bob.post("/projects", {"name": "evil"})
    await bob.post("/projects/evil/services", {"name": "api"})
    body = {"host": "shop.example.com", "path_prefix": "/login"}
    assert (await bob.call("POST", "/projects/evil/services/api/routes", json=body)).status_code == 409


@pytest.mark.parametrize("host", ["towline.localhost", "localhost", "api.internal", socket.gethostname()])
async def test_names_that_towline_needs_are_refused(ann: Person, host: str) -> None:
    answer = await _add(ann, host)
    assert (answer.status_code, answer.json()["field"]) == (422, "host")


async def test_the_generated_host_stays_and_workers_have_none(ann: Person) -> None:
    await ann.post("/projects/shop/services/api/deploy", {"image": "app:1"})
    generated = (await ann.get("/projects/shop/services/api/routes"))["items"][0]
    assert generated["kind"] == "generated"
    answer = await ann.call("DELETE", f"/projects/shop/services/api/routes/{generated['id']}")
    assert answer.status_code == 409
    await ann.post("/projects/shop/services", {"name": "jobs", "type": "worker"})
    body = {"host": "jobs.example.com"}
    assert (await ann.call("POST", "/projects/shop/services/jobs/routes", json=body)).status_code == 409
