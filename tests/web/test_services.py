"""Services through the HTTP door."""

from typing import Any

import orjson
import pytest
from sqlalchemy import select
from tests.web.door import Door, Person

from towline.actions.deployments.credentials import credential_context
from towline.actions.deployments.make import build_secrets_context
from towline.actions.settings import run_settings
from towline.contract.services import FoundServiceList, Service, ServiceList
from towline.models.deployments import Deployment
from towline.models.services import Route, Workload
from towline.models.services import Service as ServiceRow

_FULL: dict[str, Any] = {
    "name": "api",
    "source": {"type": "git", "config": {"url": "https://git.example.com/shop/api.git", "branch": "main"}},
    "credential": {"username": "deploy", "password": "hunter-secret"},
    "build_secrets": {"NPM_TOKEN": "npm-secret"},
    "dockerfile_path": "docker/Dockerfile",
    "context": "apps/api",
    "target": "run",
    "builder": "dockerfile",
    "build_arguments": {"A": "1"},
    "start_command": ["node", "app.js"],
    "release_command": ["node", "migrate.js"],
    "port": 3000,
    "health": {"kind": "http", "path": "/healthz", "timeout_seconds": 7},
    "replicas": 2,
    "max_surge": 1,
    "memory_bytes": 64 * 1024 * 1024,
    "cpus": 0.5,
    "stop_grace_seconds": 3,
    "drain_seconds": 4,
    "volumes": [{"name": "uploads", "path": "/var/lib/app"}],
}


@pytest.fixture
async def ann(door: Door) -> Person:
    """Someone with a project `shop`."""
    person = await door.add_person()
    await person.post("/projects", {"name": "shop"})
    return person


async def _row(door: Door, service_id: str) -> ServiceRow:
    async with door.platform.database.transaction() as work:
        row = await work.session.get(ServiceRow, service_id)
    assert row is not None
    return row


async def test_every_setting_is_kept_and_shown_but_no_secret(door: Door, ann: Person) -> None:
    answer = await ann.call("POST", "/projects/shop/services", json=_FULL)
    assert answer.status_code == 201
    assert "hunter" not in answer.text
    assert "npm-secret" not in answer.text
    shown = Service.model_validate_json(answer.content)
    for name in _FULL.keys() - {"source", "credential", "build_secrets", "health"}:
        assert shown.model_dump(mode="json")[name] == _FULL[name], name
    assert shown.health.path == "/healthz"
    assert shown.source.config["branch"] == "main"
    assert (shown.has_credential, shown.build_secret_names) == (True, ["NPM_TOKEN"])
    assert Service.model_validate(await ann.get("/projects/shop/services/api")) == shown
    row = await _row(door, shown.id)
    assert row.source_credential is not None
    assert row.build_secrets is not None
    opened = door.platform.secrets.open(row.source_credential, context=credential_context(row))
    assert orjson.loads(opened)["password"] == "hunter-secret"
    opened = door.platform.secrets.open(row.build_secrets, context=build_secrets_context(row))
    assert orjson.loads(opened) == {"NPM_TOKEN": "npm-secret"}
    settings = run_settings(row.run)
    assert (settings.probe_kind, settings.health_seconds, settings.drain_seconds) == ("http", 7, 4)


async def test_a_bare_service_has_the_defaults_of_the_contract(ann: Person) -> None:
    made = Service.model_validate(await ann.post("/projects/shop/services", {"name": "web"}))
    assert (made.type, made.source.type, made.builder, made.replicas) == ("web", "upload", "auto", 1)
    assert made.is_auto_port
    listed = await ann.call("GET", "/projects/shop/services")
    assert ServiceList.model_validate_json(listed.content).items == [made]


async def test_the_fast_list_is_what_the_contract_says(door: Door, ann: Person) -> None:
    assert (await ann.get("/projects/shop/services"))["items"] == []
    for name in ("web", "old", "db"):
        await ann.post("/projects/shop/services", {"name": name})
    await ann.post("/projects/shop/services", _FULL)
    await ann.delete("/projects/shop/services/old")
    await ann.post("/projects", {"name": "blog"})
    await ann.post("/projects/blog/services", {"name": "foreign"})
    listed = ServiceList.model_validate_json((await ann.call("GET", "/projects/shop/services")).content)
    assert [item.name for item in listed.items] == ["api", "db", "web"]
    for item in listed.items:
        assert item == Service.model_validate(await ann.get(f"/projects/shop/services/{item.name}"))
    first = await ann.get("/projects/shop/services", limit=2)
    rest = await ann.get("/projects/shop/services", limit=2, cursor=first["next_cursor"])
    assert [item["name"] for item in first["items"] + rest["items"]] == ["api", "db", "web"]
    assert rest["next_cursor"] is None
    stranger = await door.add_person()
    assert (await stranger.call("GET", "/projects/shop/services")).status_code == 404


async def test_fields_left_out_stay_and_null_brings_back_the_default(door: Door, ann: Person) -> None:
    made = await ann.post("/projects/shop/services", _FULL)
    changed = await ann.patch("/projects/shop/services/api", {"port": None, "start_command": None, "replicas": 5})
    assert (changed["port"], changed["is_auto_port"], changed["start_command"]) == (None, True, [])
    assert (changed["replicas"], changed["context"], changed["has_credential"]) == (5, "apps/api", True)
    changed = await ann.patch(
        "/projects/shop/services/api",
        {"health": None, "credential": None, "build_secrets": {"NPM_TOKEN": None, "OTHER": "x"}},
    )
    assert changed["health"]["kind"] == "auto"
    assert (changed["has_credential"], changed["build_secret_names"]) == (False, ["OTHER"])
    assert (await _row(door, made["id"])).source_credential is None


@pytest.mark.parametrize(
    ("kept", "other"),
    [
        ({"url": "https://git.example.com/shop/other.git"}, {"url": "https://evil.example.org/shop/api.git"}),
        ({"url": "https://GIT.example.com/shop/other.git"}, {"url": "https://git.example.com:8443/shop/api.git"}),
        ({"url": "https://git.example.com/a/b.git"}, {"url": "ssh://git@git.example.com/shop/api.git"}),
        ({"repository": "shop/other"}, {"repository": "shop/api", "host": "evil.example.org"}),
    ],
)
async def test_a_credential_is_not_sent_to_another_remote(
    ann: Person, kept: dict[str, str], other: dict[str, str]
) -> None:
    kind = "git" if "url" in kept else "github"
    given = _FULL if kind == "git" else {**_FULL, "source": {"type": kind, "config": {"repository": "shop/api"}}}
    await ann.post("/projects/shop/services", given)
    same = {"type": kind, "config": kept}
    assert (await ann.patch("/projects/shop/services/api", {"source": same}))["has_credential"]
    moved = {"type": kind, "config": other}
    assert not (await ann.patch("/projects/shop/services/api", {"source": moved}))["has_credential"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "source": {"type": "no-such"}}, "source.type"),
        ({"name": "x", "source": {"type": "git", "config": {"url": "ext::sh -c x"}}}, "source.config.url"),
        ({"name": "x", "source": {"type": "git", "config": {"colour": "red"}}}, "source.config.colour"),
        ({"name": "x", "volumes": [{"name": "a", "path": "/a"}, {"name": "b", "path": "/a/"}]}, "volumes"),
        ({"name": "x", "colour": "red"}, "colour"),
        ({"name": "X"}, "name"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_field_named(ann: Person, body: dict[str, Any], field: str) -> None:
    answer = await ann.call("POST", "/projects/shop/services", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_new_name_moves_the_generated_host(door: Door, ann: Person) -> None:
    await ann.post("/projects/shop/services", {"name": "api"})
    await ann.post("/projects/shop/services/api/deploy", {"image": "app:1"})
    assert (await ann.get("/projects/shop/services/api"))["urls"] == ["http://api-shop.localhost"]
    renamed = await ann.patch("/projects/shop/services/api", {"name": "core"})
    assert renamed["urls"] == ["http://core-shop.localhost"]
    await ann.patch("/projects/shop", {"name": "store"})
    assert (await ann.get("/projects/store/services/core"))["urls"] == ["http://core-store.localhost"]
    assert (await ann.patch("/projects/store/services/core", {"type": "worker"}))["urls"] == []


async def test_deleting_stops_all_that_runs_and_frees_the_name(door: Door, ann: Person) -> None:
    made = await ann.post("/projects/shop/services", _FULL)
    deployment = await ann.post("/projects/shop/services/api/deploy", {"image": "app:1"})
    await ann.delete("/projects/shop/services/api")
    assert (await ann.call("GET", f"/projects/shop/services/{made['id']}")).status_code == 404
    async with door.platform.database.transaction() as work:
        workload = (await work.session.scalars(select(Workload).where(Workload.service_id == made["id"]))).one()
        routes = (await work.session.scalars(select(Route))).all()
        row = await work.session.get(Deployment, deployment["id"])
    assert (workload.wanted, list(routes), row and row.status) == ("stopped", [], "cancelled")
    assert (await _row(door, made["id"])).source_credential is None
    assert (await ann.post("/projects/shop/services", {"name": "api"}))["id"] != made["id"]


async def test_a_deleted_project_leaves_no_route_and_no_key_of_its_own(door: Door, ann: Person) -> None:
    project = await ann.get("/projects/shop")
    of_project = await door.add_key(ann.user_id, project_id=project["id"])
    await ann.post("/projects/shop/services", {"name": "api"})
    await ann.post("/projects/shop/services/api/deploy", {"image": "app:1"})
    await ann.delete("/projects/shop")
    assert (await of_project.call("GET", "/account")).status_code == 401
    assert await door.platform.router.list_owners() == []


async def test_services_are_searched_for_in_all_projects_that_one_may_see(door: Door, ann: Person) -> None:
    await ann.post("/projects", {"name": "store"})
    for project, service in (("shop", "web"), ("shop", "web-old"), ("store", "web"), ("store", "api_x")):
        await ann.post(f"/projects/{project}/services", {"name": service.replace("_", "-")})
    stranger = await door.add_person()
    assert await _found(ann, "web") == ["shop/web", "shop/web-old", "store/web"]
    assert await _found(ann, "STO web") == ["store/web"]
    assert await _found(ann, "store/api") == ["store/api-x"]
    for text in ("nothing", "w%b", "api_x"):
        assert await _found(ann, text) == []
    assert await _found(stranger, "web") == []
    first = (await ann.call("GET", "/services", params={"text": "web", "limit": 2})).json()
    again = {"text": "web", "cursor": first["next_cursor"]}
    rest = FoundServiceList.model_validate((await ann.call("GET", "/services", params=again)).json())
    assert [(one.project, one.name, one.role) for one in rest.items] == [("store", "web", "owner")]
    assert rest.next_cursor is None
    await ann.call("DELETE", "/projects/store/services/web")
    assert await _found(ann, "store web") == []


async def _found(person: Person, text: str) -> list[str]:
    answer = await person.call("GET", "/services", params={"text": text})
    return [f"{one['project']}/{one['name']}" for one in answer.json()["items"]]
