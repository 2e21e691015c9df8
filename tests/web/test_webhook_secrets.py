"""Webhook secrets: shown once, kept sealed, replaced with an overlap."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from tests.web.door import Door, Person

from towline.actions.keys import is_token
from towline.actions.webhook_secrets import HOOK_PREFIX, list_valid_secrets
from towline.models.base import utc_now
from towline.models.webhook_secrets import WebhookSecret
from towline.sources.signatures import sign_webhook

_PATH = "/projects/shop/services/api/webhook-secrets"


async def _service(door: Door) -> tuple[Person, dict[str, Any]]:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    return ann, await ann.post("/projects/shop/services", {"name": "api"})


async def _valid(door: Door, service: dict[str, Any]) -> list[str]:
    async with door.platform.database.transaction() as work:
        found = await list_valid_secrets(door.platform, work.session, service_id=service["id"])
    return [value.decode() for value in found]


async def test_a_secret_is_shown_once_and_kept_sealed(door: Door) -> None:
    ann, service = await _service(door)
    assert await _valid(door, service) == []
    made = await ann.post(_PATH)
    assert is_token(made["value"], HOOK_PREFIX)
    assert await _valid(door, service) == [made["value"]]
    assert made["value"] not in (await ann.call("GET", _PATH)).text
    async with door.platform.database.transaction() as work:
        [row] = await work.session.scalars(select(WebhookSecret))
    assert made["value"].encode() not in row.value
    assert made["value"] not in (await ann.call("GET", "/audit", params={"project": "shop"})).text


async def test_the_one_before_stays_valid_for_the_overlap_and_no_longer(door: Door) -> None:
    ann, service = await _service(door)
    first = await ann.post(_PATH)
    second = await ann.post(_PATH, {"overlap_seconds": 60})
    assert await _valid(door, service) == [second["value"], first["value"]]
    listed = (await ann.get(_PATH))["items"]
    assert [(item["id"], item["expires_at"] is None) for item in listed] == [(second["id"], True), (first["id"], False)]
    async with door.platform.database.transaction() as work:
        is_first = WebhookSecret.id == first["id"]
        await work.session.execute(update(WebhookSecret).where(is_first).values(expires_at=utc_now() - timedelta(1)))
    assert await _valid(door, service) == [second["value"]]
    third = await ann.post(_PATH, {"overlap_seconds": 0})
    assert await _valid(door, service) == [third["value"]]


async def test_a_later_rotation_never_lengthens_what_was_to_end(door: Door) -> None:
    ann, _ = await _service(door)
    await ann.post(_PATH)
    await ann.post(_PATH, {"overlap_seconds": 60})
    ends = (await ann.get(_PATH))["items"][-1]["expires_at"]
    await ann.post(_PATH, {"overlap_seconds": 86_400})
    assert (await ann.get(_PATH))["items"][-1]["expires_at"] == ends


async def test_a_secret_can_be_ended_at_once_and_there_are_never_too_many(door: Door) -> None:
    ann, service = await _service(door)
    made = [await ann.post(_PATH) for _ in range(10)][-1]
    assert (await ann.call("POST", _PATH, json={})).status_code == 409
    await ann.delete(f"{_PATH}/{made['id']}")
    assert made["value"] not in await _valid(door, service)
    assert (await ann.call("DELETE", f"{_PATH}/{made['id']}")).status_code == 404
    assert (await ann.call("POST", _PATH, json={})).status_code == 201
    assert (await ann.call("POST", _PATH, json={"overlap_seconds": -1})).status_code == 422


async def test_another_service_has_other_secrets(door: Door) -> None:
    ann, _ = await _service(door)
    made = await ann.post(_PATH)
    await ann.post("/projects/shop/services", {"name": "other"})
    other = _PATH.replace("/api/", "/other/")
    assert (await ann.get(other))["items"] == []
    assert (await ann.call("DELETE", f"{other}/{made['id']}")).status_code == 404


async def _call(door: Door, made: Mapping[str, Any], body: bytes = b"", *, secret: str = "", at: int = 0) -> Any:
    """Call the service's webhook, signed with its secret now."""
    timestamp = at or int(time.time())
    signature = sign_webhook(body, secret or made["value"], timestamp=timestamp)
    headers = {"X-Towline-Timestamp": str(timestamp), "X-Towline-Signature": signature}
    return await door.http.post("/hooks" + made["url"].partition("/hooks")[2], content=body, headers=headers)


async def test_a_signed_call_deploys_the_service_once_and_no_other(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "calls"})
    for name, image in (("api", "app:1"), ("web", "web:1")):
        source = {"type": "custom", "config": {"image": image}}
        await ann.post("/projects/calls/services", {"name": name, "source": source})
    made = await ann.post("/projects/calls/services/api/webhook-secrets", {})
    other = await ann.post("/projects/calls/services/web/webhook-secrets", {})

    first = await _call(door, made, b'{"delivery_id": "1"}')
    again = await _call(door, made, b'{"delivery_id": "1"}')
    assert (first.status_code, first.json()["is_new"], again.json()["is_new"]) == (202, True, False)
    assert first.json()["deployment"] == again.json()["deployment"]
    assert (await _call(door, made, b'{"event": "ping"}')).json() == {"deployment": None, "is_new": True}
    deployed = (await ann.get("/deployments", project="calls"))["items"]
    assert [(item["service"], item["trigger"]) for item in deployed] == [("api", "push")]

    assert (await _call(door, made, secret=other["value"])).status_code == 401
    assert (await _call(door, made, at=int(time.time()) - 3600)).status_code == 401
    assert (await _call(door, made, b'{"ref": "main"}')).status_code == 422
    assert (await _call(door, {**made, "url": "/hooks/service/svc_nobody"})).status_code == 404
    await ann.delete(f"/projects/calls/services/api/webhook-secrets/{made['id']}")
    assert (await _call(door, made)).status_code == 401
    assert len((await ann.get("/deployments", project="calls"))["items"]) == 1
