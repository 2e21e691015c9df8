"""Variables through the HTTP door."""

import pytest
from sqlalchemy import select
from tests.web.door import Door, Person

from towline.models.services import Variable as VariableRow


@pytest.fixture
async def ann(door: Door) -> Person:
    """Someone with a project `shop` and a service `api`."""
    person = await door.add_person()
    await person.post("/projects", {"name": "shop"})
    await person.post("/projects/shop/services", {"name": "api"})
    return person


async def _set(person: Person, *variables: dict[str, object], service: str | None = None) -> list[dict[str, object]]:
    return (await person.patch("/projects/shop/variables", {"service": service, "variables": variables}))["items"]


async def test_values_are_kept_exactly_and_secrets_never_shown(door: Door, ann: Person) -> None:
    value = "a $b \"c\" 'd' \\ \n ü \u2028 =x"
    items = await _set(ann, {"name": "PLAIN", "value": value}, {"name": "KEY", "value": "s3cret", "is_secret": True})
    assert [(item["name"], item["value"], item["level"]) for item in items] == [
        ("KEY", None, "project"),
        ("PLAIN", value, "project"),
    ]
    async with door.platform.database.transaction() as work:
        stored = list(await work.session.scalars(select(VariableRow.value)))
    assert not any(b"s3cret" in sealed for sealed in stored)


async def test_a_service_shows_what_it_inherits_and_what_an_environment_gets(ann: Person) -> None:
    await ann.post("/projects/shop/environments", {"name": "pr-1", "kind": "preview"})
    await _set(
        ann,
        {"name": "A", "value": "project"},
        {"name": "SECRET", "value": "x", "is_secret": True},
        {"name": "STAGED", "value": "x", "environment_kinds": ["staging"]},
    )
    await _set(ann, {"name": "A", "value": "service"}, service="api")
    everything = (await ann.get("/projects/shop/variables", service="api"))["items"]
    assert [(item["name"], item["level"]) for item in everything] == [
        ("A", "project"),
        ("A", "service"),
        ("SECRET", "project"),
        ("STAGED", "project"),
    ]
    production = (await ann.get("/projects/shop/variables", service="api", environment="production"))["items"]
    assert [(item["name"], item["value"]) for item in production] == [("A", "service"), ("SECRET", None)]
    preview = (await ann.get("/projects/shop/variables", service="api", environment="pr-1"))["items"]
    assert [item["name"] for item in preview] == ["A"]


async def test_setting_again_changes_and_deleting_deletes_one_place_only(ann: Person) -> None:
    await _set(ann, {"name": "A", "value": "1"})
    await _set(ann, {"name": "A", "value": "2"}, service="api")
    assert [item["value"] for item in await _set(ann, {"name": "A", "value": "3"})] == ["3"]
    await ann.delete("/projects/shop/variables/A", service="api")
    left = (await ann.get("/projects/shop/variables", service="api"))["items"]
    assert [(item["value"], item["level"]) for item in left] == [("3", "project")]
    assert (await ann.call("DELETE", "/projects/shop/variables/A", params={"service": "api"})).status_code == 404


async def test_the_same_name_twice_is_refused(ann: Person) -> None:
    body = {"variables": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}
    answer = await ann.call("PATCH", "/projects/shop/variables", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "variables")


async def test_all_variables_of_a_place_together_have_a_bound(ann: Person) -> None:
    large = "x" * 262_144
    for number in range(15):
        await _set(ann, {"name": f"F{number}", "value": large, "mount_path": f"/etc/f{number}"})
    more: dict[str, object] = {"name": "MORE", "value": large, "mount_path": "/etc/more"}
    answer = await ann.call("PATCH", "/projects/shop/variables", json={"variables": [more]})
    assert (answer.status_code, answer.json()["field"]) == (422, "variables")
    await _set(ann, {"name": "F0", "value": "small"}, more)
