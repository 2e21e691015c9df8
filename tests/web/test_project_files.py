"""The project file through the HTTP door: planned, applied, written."""

from typing import Any

import pytest
from tests.web.door import Door, Person

from towline.contract.project_file_text import parse_project_file

SHOP = """
project: shop
description: The web shop
variables:
  LOG_LEVEL: info
  RETRIES: 3
  TOKEN: {secret: true}
  MADE: {secret: true, generate: true}
preview_variables:
  LOG_LEVEL: debug
previews:
  pull_requests: true
  main: web
  shared: [db]
  lifetime_seconds: 172800
services:
  web:
    image: example/web:1
    needs: [{service: api, cascade: true}]
    domains: [shop.example.com, {host: shop.example.com, path: /old, strip_path: true}]
    variables:
      API: ${{ services.api.internal_url }}
    replicas: 2
  api:
    git: {url: https://git.example.com/shop/api.git, branch: main}
    needs: [db]
    health: /healthz
    memory: 512Mi
  db:
    type: database
    image: postgres:16
    port: 5432
    volumes: {data: /var/lib/postgresql/data}
    variables:
      CERT: {value: text, file: /etc/cert, for: [production]}
"""


@pytest.fixture
async def ann(door: Door) -> Person:
    """Someone who may create projects."""
    return await door.add_person()


def _body(text: str = SHOP, **more: object) -> dict[str, Any]:
    file = parse_project_file(text).model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {"file": file, **more}


async def _apply(person: Person, text: str = SHOP, **more: object) -> dict[str, Any]:
    plan = await person.post("/project-files/plan", _body(text, **more))
    body = _body(text, fingerprint=plan["fingerprint"], deploys=False, **more)
    return await person.post("/project-files/apply", body)


def _lines(plan: dict[str, Any]) -> list[str]:
    return [
        f"{item['action']} {item['kind']} {item['service']}/{item['name']}"
        for item in plan["changes"]
        if item["action"] != "missing"
    ]


async def test_a_plan_on_an_empty_machine_names_everything_and_makes_nothing(ann: Person) -> None:
    plan = await ann.post("/project-files/plan", _body())
    assert _lines(plan)[0] == "create project /shop"
    assert "create service db/db" in _lines(plan)
    assert "create dependency web/api" in _lines(plan)
    assert "create domain web/shop.example.com/old" in _lines(plan)
    assert [item["name"] for item in plan["changes"] if item["action"] == "missing"] == ["TOKEN"]
    assert plan["deploys"] == [["db"], ["api"], ["web"]]
    assert (await ann.get("/projects"))["items"] == []


async def test_after_an_apply_there_is_nothing_to_change(ann: Person) -> None:
    await _apply(ann)
    plan = await ann.post("/project-files/plan", _body())
    assert _lines(plan) == []
    service = await ann.get("/projects/shop/services/api")
    assert (service["memory_bytes"], service["health"]["path"]) == (512 * 1024 * 1024, "/healthz")


async def test_the_export_applied_is_an_empty_plan_and_holds_no_secret(ann: Person) -> None:
    await _apply(ann)
    secret = {"name": "TOKEN", "value": "hidden-value", "is_secret": True}
    await ann.patch("/projects/shop/variables", {"variables": [secret]})
    exported = await ann.get("/projects/shop/file")
    assert exported["secrets"] == ["MADE", "TOKEN"]
    made = (await ann.post("/projects/shop/variables/MADE/reveal"))["value"]
    assert len(made) == 32
    assert made not in exported["text"]
    assert "hidden-value" not in exported["text"]
    plan = await ann.post("/project-files/plan", _body(exported["text"], deletes=True))
    assert plan["changes"] == []


async def test_a_changed_file_changes_only_that(ann: Person) -> None:
    await _apply(ann)
    changed = SHOP.replace("RETRIES: 3", "RETRIES: 4").replace("replicas: 2", "replicas: 3")
    plan = await ann.post("/project-files/plan", _body(changed))
    assert _lines(plan) == ["update variable /RETRIES", "update service web/web"]
    assert plan["changes"][0]["fields"] == [{"field": "value", "before": "3", "after": "4"}]
    await _apply(ann, changed)
    assert _lines(await ann.post("/project-files/plan", _body(changed))) == []


async def test_what_is_not_in_the_file_stays_unless_deletes_are_asked_for(ann: Person) -> None:
    await _apply(ann)
    less = "project: shop\nservices: {api: {git: {url: 'https://git.example.com/shop/api.git', branch: main}}}\n"
    plan = await ann.post("/project-files/plan", _body(less))
    assert "keep service db/db" in _lines(plan)
    assert "delete dependency api/db" in _lines(plan)
    await _apply(ann, less, deletes=True)
    assert [item["name"] for item in (await ann.get("/projects/shop/services"))["items"]] == ["api"]


async def test_a_world_that_has_moved_is_refused_and_left_alone(ann: Person) -> None:
    await _apply(ann)
    changed = SHOP.replace("RETRIES: 3", "RETRIES: 4")
    plan = await ann.post("/project-files/plan", _body(changed))
    await ann.patch("/projects/shop", {"description": "moved"})
    body = _body(changed, fingerprint=plan["fingerprint"])
    answer = await ann.call("POST", "/project-files/apply", json=body)
    assert answer.status_code == 409
    values = {item["name"]: item["value"] for item in (await ann.get("/projects/shop/variables"))["items"]}
    assert values["RETRIES"] == "3"


async def test_a_circle_is_refused_with_its_path(ann: Person) -> None:
    text = "project: shop\nservices: {a: {image: x, needs: [b]}, b: {image: x, needs: [a]}}\n"
    answer = await ann.call("POST", "/project-files/plan", json=_body(text))
    assert answer.status_code == 422
    assert "a → b → a" in answer.json()["detail"] or "b → a → b" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${{ services.gone.url }}", "web.API: the project has no service 'gone'."),
        ("${{ services.db.url }}", "web.API: the service 'db' has no url."),
        ("${{ services.db.variables.NONE }}", "web.API: there is no ${{ services.db.variables.NONE }}."),
        ("${{ services.db.variables.CERT }} ${{ variables.NONE }}", "web.API: there is no ${{ variables.NONE }}."),
        ("${{ services.web.variables.API }}", "Variables refer to each other in a circle: web.API → web.API."),
        ("${{ nonsense }}", "web.API: ${{ nonsense }} is no reference."),
    ],
)
async def test_a_reference_that_leads_nowhere_is_refused_with_its_place(ann: Person, value: str, said: str) -> None:
    text = SHOP.replace("${{ services.api.internal_url }}", value)
    for made in (False, True):
        if made:
            await _apply(ann)
        answer = await ann.call("POST", "/project-files/plan", json=_body(text))
        assert (answer.status_code, answer.json()["detail"], answer.json()["field"]) == (422, said, "file")


async def test_references_lead_to_what_is_there_besides_the_file(door: Door, ann: Person) -> None:
    await _apply(ann)
    root = await door.add_person(is_administrator=True)
    await root.patch("/variables", {"variables": [{"name": "EVERYWHERE", "value": "x"}]})
    value = "${{ services.db.host }} ${{ variables.TOKEN }} ${{ variables.MADE }} ${{ variables.EVERYWHERE }}"
    less = f"project: shop\nservices: {{web: {{image: x, variables: {{API: '{value}'}}}}}}\n"
    await ann.patch("/projects/shop/variables", {"variables": [{"name": "TOKEN", "value": "t", "is_secret": True}]})
    assert "update variable web/API" in _lines(await ann.post("/project-files/plan", _body(less)))
    answer = await ann.call("POST", "/project-files/plan", json=_body(less, deletes=True))
    assert answer.json()["detail"] == "web.API: the project has no service 'db'."


async def test_a_limited_key_does_no_more_by_a_file_than_without(door: Door, ann: Person) -> None:
    makes = await door.add_key(ann.user_id, scopes=["create_projects"])
    for path, more in (("plan", {}), ("apply", {"fingerprint": "0" * 32})):
        answer = await makes.call("POST", f"/project-files/{path}", json=_body(**more))
        assert (answer.status_code, "manage_services" in answer.text) == (403, True)
    await _apply(ann)
    manages = await door.add_key(ann.user_id, scopes=["manage_services", "view_projects"])
    plan = await manages.post("/project-files/plan", _body())
    deploys = _body(fingerprint=plan["fingerprint"])
    answer = await manages.call("POST", "/project-files/apply", json=deploys)
    assert (answer.status_code, "deploy" in answer.text) == (403, True)
    assert (await ann.get("/projects/shop/groups"))["items"] == []
    await manages.post("/project-files/apply", {**deploys, "deploys": False})


async def test_strangers_see_no_project_and_viewers_may_not_apply(door: Door, ann: Person) -> None:
    await _apply(ann)
    project_id = (await ann.get("/projects/shop"))["id"]
    stranger, viewer = await door.add_person(), await door.add_member(project_id, "viewer")
    for person, status in ((stranger, 404), (viewer, 403), (door.nobody(), 401)):
        answer = await person.call("POST", "/project-files/plan", json=_body())
        assert answer.status_code == status
