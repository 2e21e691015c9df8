"""The audit log: every change, every refused attempt, and no flood."""

from typing import Any

from sqlalchemy import func, select
from tests.web.door import Door, Person

from towline.models.history import AuditEntry
from towline.web.refusals import RefusalLimit


async def _entries(person: Person, project: str = "shop") -> list[dict[str, Any]]:
    return (await person.get("/audit", project=project))["items"]


async def test_changes_are_told_with_who_and_what_but_no_secret(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    service = await ann.post("/projects/shop/services", {"name": "api", "credential": {"password": "s3cret"}})
    variable = {"name": "KEY", "value": "s3cret", "is_secret": True}
    await ann.patch("/projects/shop/variables", {"variables": [variable]})
    entries = await _entries(ann)
    assert [entry["action"] for entry in entries] == ["variables.set", "services.create", "projects.create"]
    made = entries[1]
    assert (made["actor_id"], made["object_id"], made["address"]) == (ann.user_id, service["id"], "203.0.113.9")
    assert made["key_id"].startswith("key_")
    assert "s3cret" not in str(entries)


async def test_what_was_refused_is_told_to_those_who_manage_the_project(door: Door) -> None:
    ann, mallory = await door.add_person(), await door.add_person()
    project = await ann.post("/projects", {"name": "shop"})
    viewer = await door.add_member(project["id"], "viewer")
    await mallory.call("DELETE", "/projects/shop")
    await viewer.call("DELETE", "/projects/shop")
    refused = [entry for entry in await _entries(ann) if entry["outcome"] == "refused"]
    assert [(entry["action"], entry["actor_id"]) for entry in refused] == [
        ("projects.delete", viewer.user_id),
        ("projects.delete", mallory.user_id),
    ]


async def test_mistyped_names_and_refused_input_are_not_told(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    await ann.call("GET", "/projects/shpo")
    await ann.call("GET", "/projects/shop/services/none")
    await ann.call("POST", "/projects", json={"name": "shop"})
    await ann.call("POST", "/projects", json={"name": "X"})
    async with door.platform.database.transaction() as work:
        assert await work.session.scalar(select(func.count()).select_from(AuditEntry)) == 1


async def test_calls_without_a_key_do_not_flood_the_log(door: Door) -> None:
    door.app.state.refusal_limit = RefusalLimit(per_source=5)
    for _ in range(20):
        await door.nobody().call("GET", "/projects")
    async with door.platform.database.transaction() as work:
        assert await work.session.scalar(select(func.count()).select_from(AuditEntry)) == 5


async def test_pages_of_the_log_follow_each_other(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    for number in range(5):
        await ann.post("/projects/shop/services", {"name": f"s{number}"})
    first = await ann.get("/audit", project="shop", limit=4)
    second = await ann.get("/audit", project="shop", limit=4, cursor=first["next_cursor"])
    numbers = [entry["id"] for entry in first["items"] + second["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 6
    assert second["next_cursor"] is None


async def test_the_address_is_what_the_trusted_proxy_saw(door: Door) -> None:
    ann = await door.add_person()
    ann.headers = {"X-Forwarded-For": "6.6.6.6"}
    await ann.post("/projects", {"name": "shop"})
    assert (await _entries(ann))[0]["address"] == "203.0.113.9"
