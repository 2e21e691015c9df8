"""Whatever is sent, the answer is a problem with its reason, never a fault of Towline's own."""

from itertools import product

from tests.stand_ins import make_world
from tests.web.door import Door

VALUES = (
    "",
    "\0",
    "%",
    "'; DROP TABLE users; --",
    "../../etc/passwd",
    "-1",
    "9" * 40,
    "1e999",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-08-01T12:00:00",
    "\u202e\U0001f6a2",
    "a" * 5000,
    "true",
    "[]",
)
QUERIES = (
    "cursor",
    "limit",
    "status",
    "service",
    "project",
    "environment",
    "tail",
    "since",
    "follow",
    "query",
    "level",
)
BODIES = (b"", b"null", b"[]", b"{", b'"\xff"', b'{"a":' * 2000, b'{"environment": "\\ud800"}', b'{"replicas": 1e400}')


async def test_odd_queries_are_refused_or_answered(door: Door) -> None:
    world = await make_world(door.platform)
    deployment = await world.request()
    ann = await door.add_key(world.user.id)
    service = "/projects/shop/services/web"
    paths = (
        "/deployments",
        f"/deployments/{deployment.id}/logs",
        *(f"{service}/{part}" for part in ("logs", "status", "health", "releases", "instances")),
    )
    for number, (path, name, value) in enumerate(product(paths, QUERIES, VALUES)):
        if number % 4:  # a number without a common factor: every path, name and value is had
            continue
        if (name, value) != ("follow", "true"):
            answer = await ann.call("GET", path, params={name: value})
            assert answer.status_code in {200, 404, 422}, (path, name, value, answer.text)


async def test_odd_bodies_and_paths_are_refused(door: Door) -> None:
    world = await make_world(door.platform)
    ann = await door.add_key(world.user.id)
    service = "/projects/shop/services/web"
    paths = (
        "/deployments",
        "/deployments/rollback",
        "/projects/shop/uploads",
        *(f"{service}/{part}" for part in ("deploy", "scale", "releases/1/promote", "releases/%2e%2e/promote")),
        "/deployments/%00/cancel",
        "/deployments/dep_x%0a/cancel",
    )
    for path, body in product(paths, BODIES):
        answer = await ann.call("POST", path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {404, 413, 422}, (path, body[:50], answer.text)
