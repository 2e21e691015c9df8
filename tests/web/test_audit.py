"""The audit log: every change, every refused attempt, and no flood."""

import json
from typing import Any

from sqlalchemy import func, select
from tests.web.browser import Browser
from tests.web.door import Door, Person

from towline.actions.audit_chain import chain_all
from towline.actions.sessions import open_session
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


async def test_a_change_is_told_with_what_was_before_but_secrets_only_as_changed(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop", "description": "old"})
    await ann.patch("/projects/shop", {"description": "new"})
    await ann.post("/projects/shop/services", {"name": "api", "build_secrets": {"NPM": "s3cret"}, "max_surge": 1})
    await ann.patch("/projects/shop/services/api", {"port": 81, "max_surge": 2})
    await ann.patch("/projects/shop/services/api", {"build_secrets": {"NPM": "an0ther"}})
    sealed, changed, _, renamed, _ = await _entries(ann)
    assert (renamed["before"], renamed["after"]) == ({"description": "old"}, {"description": "new"})
    assert (changed["before"]["port"], changed["after"]["port"]) == (None, 81)
    assert (changed["before"]["run"], changed["after"]["run"]) == ({"max_surge": 1}, {"max_surge": 2})
    assert sealed["after"]["build_secrets"] == "changed"
    assert not [word for word in ("s3cret", "an0ther") if word in str(await _entries(ann))]


async def test_entries_are_found_by_what_is_asked_for_and_downloaded_as_lines(door: Door) -> None:
    ann, root = await door.add_person(), await door.add_person(is_administrator=True)
    project = await ann.post("/projects", {"name": "shop"})
    await root.post("/projects", {"name": "other"})
    viewer = await door.add_member(project["id"], "viewer")
    await viewer.call("DELETE", "/projects/shop")
    await ann.patch("/projects/shop", {"description": "new"})
    middle = (await _entries(ann))[0]["at"]

    async def found(**query: str) -> list[str]:
        listed = [entry["action"] for entry in (await root.get("/audit", **query))["items"]]
        answer = await root.call("GET", "/audit/export", params=query)
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        assert [json.loads(line)["action"] for line in answer.text.splitlines()] == listed[::-1]
        return listed

    assert await found(actor=root.user_id) == ["projects.create"]
    assert await found(outcome="refused", project="shop") == ["projects.delete"]
    assert await found(action="projects.update") == ["projects.update"]
    assert len(await found(action="projects")) == 4
    assert await found(action="project") == []
    assert await found(object=project["id"]) == ["projects.update", "projects.create"]
    assert await found(since=middle) == ["projects.update"]
    assert await found(until=middle, object=project["id"]) == ["projects.create"]
    assert (await ann.call("GET", "/audit/export")).status_code == 403
    assert (await viewer.call("GET", "/audit/export", params={"project": "shop"})).status_code == 403
    assert len((await ann.call("GET", "/audit/export", params={"project": "shop"})).text.splitlines()) == 4


async def test_the_log_says_whether_it_is_as_it_was_written(door: Door) -> None:
    ann, root = await door.add_person(), await door.add_person(is_administrator=True)
    await ann.post("/projects", {"name": "shop"})
    assert (await root.get("/audit/verify"))["waiting"] == 1
    await chain_all(door.platform)
    kept = await root.get("/audit/head")
    await ann.patch("/projects/shop", {"description": "new"})
    await chain_all(door.platform)
    verdict = await root.get("/audit/verify", sequence=kept["sequence"], hash=kept["hash"])
    assert (verdict["is_intact"], verdict["entries"], verdict["head"]["sequence"]) == (True, 2, 2)
    wrong = await root.get("/audit/verify", sequence=1, hash="0" * 64)
    assert (wrong["is_intact"], wrong["broken"]) == (False, 1)
    assert (await root.call("GET", "/audit/verify", params={"sequence": 1})).status_code == 422
    for path in ("/audit/verify", "/audit/head"):
        assert (await ann.call("GET", path)).status_code == 403
    assert [entry["hash"] for entry in await _entries(ann)][1] == kept["hash"]


async def test_signing_out_on_the_page_is_told_like_signing_out_by_the_api(door: Door) -> None:
    ann = await door.add_person()
    async with door.platform.database.transaction() as work:
        made = await open_session(
            door.platform, work, user_id=ann.user_id, method="password", device="test", address="203.0.113.9"
        )
    browser = Browser(door.app)
    browser.http.cookies.set("towline_session", made.value)
    for _ in range(2):
        assert (await browser.send("/sign-out", {})).status_code == 303
    async with door.platform.database.transaction() as work:
        told = (await work.session.scalars(select(AuditEntry).where(AuditEntry.action == "sessions.end"))).all()
    assert [(entry.actor_id, entry.object_id, entry.address) for entry in told] == [
        (ann.user_id, made.session.id, "203.0.113.9")
    ]
