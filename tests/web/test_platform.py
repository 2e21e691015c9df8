"""What is there for everybody: the installation, probes, figures and the pages Traefik shows."""

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from tests.stand_ins import make_world
from tests.web.door import Door

from towline.contract.platform import DomainCheck, Platform


async def test_the_installation_tells_how_it_is_reached_and_how_busy_it_is(door: Door) -> None:
    ann = await door.add_person()
    world = await make_world(door.platform)
    await world.request()
    platform = Platform.model_validate(await ann.get("/platform"))
    assert platform.url == "http://towline.localhost"
    assert (platform.queued_deployments, platform.running_deployments) == (1, 0)
    assert platform.docker.is_available


async def test_probes_need_no_key(door: Door) -> None:
    alive = await door.http.get("/healthz")
    assert (alive.status_code, alive.json()["status"]) == (200, "alive")
    ready = await door.http.get("/readyz")
    assert (ready.status_code, set(ready.json()["parts"])) == (200, {"postgresql", "redis", "schema"})


async def test_a_page_elsewhere_may_read_whether_towline_is_ready_and_nothing_else(door: Door) -> None:
    origin = {"Origin": "http://towline.elsewhere.example"}
    assert (await door.http.get("/readyz", headers=origin)).headers["access-control-allow-origin"] == "*"
    for path in ("/healthz", "/", "/api/v1/platform"):
        assert "access-control-allow-origin" not in (await door.http.get(path, headers=origin)).headers


async def test_a_look_at_another_domain_tells_what_it_would_change(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    own = DomainCheck.model_validate(await root.get("/platform/domain-check"))
    other = DomainCheck.model_validate(await root.get("/platform/domain-check", domain="apps.localhost"))
    assert (own.change, own.problem) == (None, "")
    assert other.change is not None
    assert (other.change.url, other.change.hosts) == ("http://towline.apps.localhost", 0)


async def test_the_base_domain_is_set_by_administrators_where_a_supervisor_can_do_it(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    same = await root.patch("/platform", {"base_domain": "localhost"})
    assert (same["url"], same["is_restarting"]) == ("http://towline.localhost", False)
    refused = await root.call("PATCH", "/platform", json={"base_domain": "apps.localhost"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    wrong = await root.call("PATCH", "/platform", json={"base_domain": "10.0.0.1"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "base_domain")


@pytest.fixture
async def door_without_migration(door: Door) -> AsyncIterator[Door]:
    """A door to a database of another version; databases of tests are shared, so its version is put back."""
    async with door.platform.database.transaction() as work:
        version = await work.session.scalar(text("SELECT version_num FROM alembic_version"))
        await work.session.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    yield door
    async with door.platform.database.transaction() as work:
        await work.session.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


async def test_a_database_that_waits_for_its_migration_is_not_ready(door_without_migration: Door) -> None:
    ready = await door_without_migration.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert ready.json()["parts"]["schema"]["problem"]
    assert not ready.json()["parts"]["postgresql"]["problem"]


async def test_figures_are_for_administrators_and_for_this_machine(door: Door) -> None:
    administrator, ann = await door.add_person(is_administrator=True), await door.add_person()
    for person, status in ((door.nobody(), 401), (ann, 403), (administrator, 200)):
        headers = {"Authorization": f"Bearer {person.token}"} if person.token else {}
        assert (await door.http.get("/metrics", headers=headers)).status_code == status


async def test_figures_are_prometheus_text(door: Door) -> None:
    administrator = await door.add_person(is_administrator=True)
    world = await make_world(door.platform)
    await world.request()
    await administrator.get("/projects")
    answer = await door.http.get("/metrics", headers={"Authorization": f"Bearer {administrator.token}"})
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    pattern = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')
    assert all(line.startswith("# ") or pattern.fullmatch(line) for line in lines)
    assert "towline_queue_depth 1" in lines
    assert 'towline_deployments_open{status="queued"} 1' in lines
    assert 'towline_http_requests_total{operation="projects.list",status="200"} 1' in lines
    assert 'towline_http_request_seconds_count{operation="projects.list"} 1' in lines
    assert any(line.startswith("towline_event_relay_lag_seconds ") for line in lines)


@pytest.mark.parametrize(("status", "words"), [(404, "No app answers"), (503, "no running instance")])
async def test_pages_for_visitors_need_nothing_else(door: Door, status: int, words: str) -> None:
    answer = await door.http.get(f"/_towline/pages/{status}", headers={"Accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
    assert answer.headers["content-type"].startswith("text/html")
    assert words in answer.text
    for forbidden in ("<script", "http://", "https://", " src=", "@import"):
        assert forbidden not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    problem = await door.http.get(f"/_towline/pages/{status}", headers={"Accept": "application/json"})
    assert problem.json()["status"] == status
    assert problem.headers["cache-control"] == "no-store"


async def test_the_front_page_says_what_to_do_first(door: Door) -> None:
    answer = await door.http.get("/")
    assert answer.status_code == 200
    assert "towline login http://towline.localhost" in answer.text
    assert "http://towline.localhost/api/v1" in answer.text


@pytest.mark.parametrize("path", ["/_towline/pages/../x", "/_towline/pages/%00", "/_towline/pages/<b>", "/nothing"])
async def test_odd_paths_are_not_found(door: Door, path: str) -> None:
    assert (await door.http.get(path)).status_code == 404
