"""Variables with origin, history and differences, through the HTTP door."""

import pytest
from sqlalchemy import select
from tests.web.door import Door, Person

from towline.models.variable_changes import VariableChange

_PATH = "/projects/shop/variables"


@pytest.fixture
async def ann(door: Door) -> Person:
    """Someone with a project `shop` and services `api` and `web`."""
    person = await door.add_person()
    await person.post("/projects", {"name": "shop"})
    for name in ("api", "web"):
        await person.post("/projects/shop/services", {"name": name})
    return person


async def _set(person: Person, name: str, value: str, **more: object) -> None:
    place = {key: more.pop(key) for key in ("service", "previews", "environment") if key in more}
    await person.patch(_PATH, {**place, "variables": [{"name": name, "value": value, **more}]})


async def test_the_effective_set_shows_origin_hidden_levels_and_resolved_values(ann: Person) -> None:
    await _set(ann, "A", "project")
    await _set(ann, "A", "service ${{ services.api.host }}", service="web")
    await _set(ann, "KEY", "hidden", service="api", is_secret=True)
    await _set(ann, "DSN", "x:${{ services.api.variables.KEY }}", service="web", mount_path="/run/dsn")
    shown = (await ann.get(f"{_PATH}/effective", service="web"))["items"]
    assert [(item["name"], item["value"], item["origin"], item["hides"], item["mount_path"]) for item in shown] == [
        ("A", "service api.internal", "service", ["project"], ""),
        ("DSN", None, "service", [], "/run/dsn"),
    ]


async def test_what_cannot_be_resolved_is_refused_with_its_place(ann: Person) -> None:
    await _set(ann, "A", "${{ services.nobody.url }}", service="web")
    answer = await ann.call("GET", f"{_PATH}/effective", params={"service": "web"})
    assert answer.status_code == 422
    assert "web.A: the project has no service 'nobody'" in answer.json()["detail"]
    wrong = {"variables": [{"name": "B", "value": "${{ what }}"}]}
    answer = await ann.call("PATCH", _PATH, json=wrong)
    assert (answer.status_code, answer.json()["field"]) == (422, "variables")


async def test_changes_are_kept_with_who_and_can_be_taken_back(ann: Person) -> None:
    await _set(ann, "A", "1")
    await _set(ann, "A", "2", is_secret=True)
    await ann.delete(f"{_PATH}/A")
    history = (await ann.get(f"{_PATH}/history"))["items"]
    assert [(item["action"], item["before"], item["after"], item["is_secret"]) for item in history] == [
        ("deleted", None, None, True),
        ("set", "1", None, True),
        ("set", None, "1", False),
    ]
    assert {item["user"] for item in history} == {(await ann.get("/account"))["user"]["email"]}
    assert (await ann.call("POST", f"{_PATH}/history/{history[1]['id']}/undo")).status_code == 409
    await ann.post(f"{_PATH}/history/{history[0]['id']}/undo", {})
    revealed = await ann.post(f"{_PATH}/A/reveal", {})
    assert revealed == {"name": "A", "value": "2"}
    await ann.post(f"{_PATH}/history/{history[1]['id']}/undo", {})
    assert [(item["name"], item["value"]) for item in (await ann.get(_PATH))["items"]] == [("A", "1")]


async def test_setting_what_is_set_is_no_change(ann: Person) -> None:
    await _set(ann, "A", "1")
    await _set(ann, "A", "1")
    assert len((await ann.get(f"{_PATH}/history"))["items"]) == 1


async def test_previews_have_their_own_and_environments_are_compared(ann: Person) -> None:
    await ann.post("/projects/shop/environments", {"name": "pr-1", "kind": "preview"})
    await _set(ann, "MODE", "live")
    await _set(ann, "MODE", "try", previews=True)
    await _set(ann, "ONLY", "here", previews=True, environment="pr-1")
    await _set(ann, "KEY", "x", is_secret=True)
    compared = await ann.get(f"{_PATH}/differences", service="web", to_environment="pr-1")
    assert [(item["name"], item["kind"], item["before"], item["after"]) for item in compared["items"]] == [
        ("KEY", "removed", None, None),
        ("MODE", "changed", "live", "try"),
        ("ONLY", "added", None, "here"),
    ]
    answer = await ann.call(
        "PATCH", _PATH, json={"previews": True, "environment": "production", "variables": [{"name": "A", "value": "1"}]}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "environment")


async def test_global_variables_are_the_administrators_and_their_secrets_come_when_asked_for(
    door: Door, ann: Person
) -> None:
    root = await door.add_person(is_administrator=True)
    body = {"variables": [{"name": "G", "value": "1"}, {"name": "S", "value": "2", "is_secret": True}]}
    await root.patch("/variables", body)
    assert (await ann.call("PATCH", "/variables", json=body)).status_code == 403
    names = [item["name"] for item in (await ann.get(f"{_PATH}/effective", service="web"))["items"]]
    assert names == ["G"]
    wish = {"takes_global_secrets": True}
    assert (await ann.call("PATCH", "/projects/shop", json=wish)).status_code == 403
    await root.patch("/projects/shop", wish)
    assert (await ann.patch("/projects/shop", {**wish, "description": "x"}))["takes_global_secrets"] is True
    names = [item["name"] for item in (await ann.get(f"{_PATH}/effective", service="web"))["items"]]
    assert names == ["G", "S"]


async def test_values_too_long_for_an_environment_are_taken_as_files(ann: Person) -> None:
    long = {"variables": [{"name": "A", "value": "x" * 131_072}]}
    answer = await ann.call("PATCH", _PATH, json=long)
    assert (answer.status_code, answer.json()["field"]) == (422, "variables")
    await _set(ann, "A", "x" * 131_072, mount_path="/etc/long")


async def test_nothing_stays_of_the_values_of_what_was_deleted(door: Door, ann: Person) -> None:
    async def kept() -> int:
        async with door.platform.database.transaction() as work:
            return len((await work.session.scalars(select(VariableChange.id))).all())

    await ann.post("/projects/shop/environments", {"name": "pr-1", "kind": "preview"})
    secret = {"name": "S", "value": "1", "is_secret": True}
    for place in ({}, {"service": "web"}, {"previews": True, "environment": "pr-1"}):
        await ann.patch(_PATH, {"variables": [secret], **place})
    found = [await kept()]
    for path in ("/environments/pr-1", "/services/web", ""):
        await ann.delete(f"/projects/shop{path}")
        found.append(await kept())
    assert found == [3, 2, 1, 0]
