"""Channels through the HTTP door: made, changed, tried out, and what may be seen of them."""

from tests.web.door import Door, Person

_SLACK = {"kind": "slack", "address": "https://hooks.slack.com/services/T0/B0/secret-part"}


async def _ann(door: Door) -> Person:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    return ann


async def test_a_channel_is_made_changed_and_deleted_and_its_address_never_shown(door: Door) -> None:
    ann = await _ann(door)
    made = await ann.post("/notification-channels", {"project": "shop", "name": "on call", **_SLACK})
    assert (made["shown"], made["secret"], made["is_paused"]) == ("hooks.slack.com", None, False)
    assert "deployment.failed" in made["events"]
    listed = await ann.call("GET", "/notification-channels", params={"project": "shop"})
    assert "secret-part" not in listed.text + str(made)
    change = {"name": "team", "events": ["run.failed"], "environments": ["production"], "is_paused": True}
    changed = await ann.patch(f"/notification-channels/{made['id']}", change)
    assert {name: changed[name] for name in change} == change
    audit = await ann.call("GET", "/audit", params={"project": "shop"})
    assert "secret-part" not in audit.text
    await ann.delete(f"/notification-channels/{made['id']}")
    assert (await ann.get("/notification-channels", project="shop"))["items"] == []


async def test_a_webhooks_secret_is_shown_once(door: Door) -> None:
    ann = await _ann(door)
    body = {"project": "shop", "name": "own", "kind": "webhook", "address": "https://a.example.com/hook"}
    made = await ann.post("/notification-channels", body)
    assert len(made["secret"]) >= 32
    assert "secret" not in (await ann.get("/notification-channels", project="shop"))["items"][0]
    again = await ann.call("POST", "/notification-channels", json=body)
    assert again.status_code == 409


async def test_a_test_message_waits_and_is_listed(door: Door) -> None:
    ann = await _ann(door)
    made = await ann.post("/notification-channels", {"project": "shop", "name": "on call", **_SLACK})
    queued = await ann.post(f"/notification-channels/{made['id']}/test")
    assert (queued["kind"], queued["status"]) == ("test", "queued")
    first = await ann.get(f"/notification-channels/{made['id']}/notifications", limit=1)
    assert [item["id"] for item in first["items"]] == [queued["id"]]
    second = await ann.post(f"/notification-channels/{made['id']}/test")
    page = await ann.get(f"/notification-channels/{made['id']}/notifications", limit=1)
    assert page["items"][0]["id"] == second["id"]
    rest = await ann.get(f"/notification-channels/{made['id']}/notifications", limit=1, cursor=page["next_cursor"])
    assert rest["items"][0]["id"] == queued["id"]


async def test_addresses_of_this_machine_are_for_administrators(door: Door) -> None:
    ann, root = await _ann(door), await door.add_person(is_administrator=True)
    body = {"project": "shop", "name": "own", "kind": "webhook", "address": "http://127.0.0.1:9/hook"}
    refused = await ann.call("POST", "/notification-channels", json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, "address")
    assert "127.0.0.1" not in refused.text
    await root.post("/notification-channels", body)
    instance = {"name": "everything", **_SLACK}
    assert (await ann.call("POST", "/notification-channels", json=instance)).status_code == 403
    await root.post("/notification-channels", instance)
    assert [item["name"] for item in (await root.get("/notification-channels"))["items"]] == ["everything"]


async def test_a_key_for_one_project_reaches_no_more_than_its_members_do(door: Door) -> None:
    await _ann(door)
    root = await door.add_person(is_administrator=True)
    project_id = (await root.get("/projects/shop"))["id"]
    narrow = await door.add_key(root.user_id, project_id=project_id)
    body = {"project": "shop", "name": "own", "kind": "webhook", "address": "http://127.0.0.1:9/hook"}
    assert (await narrow.call("POST", "/notification-channels", json=body)).status_code == 422
    made = await narrow.post("/notification-channels", {**body, "address": "https://a.example.com/hook"})
    change = {"address": body["address"]}
    assert (await narrow.call("PATCH", f"/notification-channels/{made['id']}", json=change)).status_code == 422
