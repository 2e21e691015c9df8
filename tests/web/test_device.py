"""Signing a device in: it asks, a person who is signed in approves, it gets a key of that person's once."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
from sqlalchemy import update
from tests.web.door import Door, Person

from towline.actions.device_codes import MOST_OF_ADDRESS, canonical_code
from towline.actions.sessions import open_session
from towline.models.base import utc_now
from towline.models.identities import DeviceCode
from towline.web.cookies import SESSION_COOKIE

HOME = "http://towline.test"


async def _start(door: Door, name: str = "CLI on laptop") -> Any:
    return await door.nobody().post("/device/code", {"client_name": name})


async def _ask(door: Door, code: Any) -> Any:
    return await door.nobody().post("/device/token", {"device_code": code["device_code"]})


async def _change(door: Door, **values: Any) -> None:
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(DeviceCode).values(**values))


async def _session(door: Door, user_id: str) -> str:
    async with door.platform.database.transaction() as work:
        made = await open_session(
            door.platform, work, user_id=user_id, method="password", device="Firefox", address="203.0.113.9"
        )
    return made.value


@asynccontextmanager
async def _browser(door: Door, user_id: str = "") -> AsyncGenerator[httpx2.AsyncClient]:
    """A browser, signed in if a user is named; it sends what browsers send of where a form came from."""
    cookies = {SESSION_COOKIE: await _session(door, user_id)} if user_id else {}
    transport = httpx2.ASGITransport(app=door.app, client=("203.0.113.9", 4711))
    async with httpx2.AsyncClient(
        transport=transport, base_url=HOME, cookies=cookies, headers={"Origin": HOME}
    ) as browser:
        yield browser


async def test_an_approved_device_gets_a_key_of_the_person_once(door: Door) -> None:
    ann = await door.add_person()
    code = await _start(door, "CLI on <b>laptop</b>")
    assert (await _ask(door, code))["status"] == "pending"
    async with _browser(door) as stranger:
        away = await stranger.get("/device", params={"code": code["user_code"]})
        assert away.headers["location"] == f"/sign-in?next=/device%3Fcode%3D{code['user_code']}"
    async with _browser(door, ann.user_id) as browser:
        page = await browser.get("/device", params={"code": code["user_code"].lower().replace("-", " ")})
        assert "CLI on &lt;b&gt;laptop&lt;/b&gt;" in page.text
        assert "203.0.113.9" in page.text
        form = {"code": code["user_code"], "decision": "approve"}
        foreign = await browser.post("/device", data=form, headers={"Origin": "http://app.test"})
        assert foreign.status_code == 403
        assert "is signed in" in (await browser.post("/device", data=form)).text
        assert (await browser.post("/device", data=form)).status_code == 404
    answer = await _ask(door, code)
    assert (answer["status"], answer["user_email"]) == ("approved", f"{ann.user_id}@example.com")
    device = Person(door.http, token=answer["key"])
    account = await device.get("/account")
    assert account["user"]["id"] == ann.user_id
    assert account["key"]["name"] == "CLI on <b>laptop</b>"
    keys = {key["id"]: key for key in (await ann.get("/keys"))["items"]}
    assert keys[answer["key_id"]]["expires_at"] is not None
    again = await door.nobody().call("POST", "/device/token", json={"device_code": code["device_code"]})
    assert again.status_code == 404
    root = await door.add_person(is_administrator=True)
    actions = {entry["action"] for entry in (await root.get("/audit"))["items"]}
    assert {"device.approve", "keys.create"} <= actions
    await device.delete(f"/keys/{answer['key_id']}")
    assert (await device.call("GET", "/account")).status_code == 401


async def test_a_denied_an_expired_and_an_unknown_device_get_nothing(door: Door) -> None:
    ann = await door.add_person()
    code = await _start(door)
    async with _browser(door, ann.user_id) as browser:
        assert "was refused" in (await browser.post("/device", data={"code": code["user_code"]})).text
        assert (await _ask(door, code))["status"] == "denied"
        late = await _start(door)
        await _change(door, expires_at=utc_now() - timedelta(seconds=1))
        assert (await _ask(door, late))["status"] == "expired"
        page = await browser.post("/device", data={"code": late["user_code"], "decision": "approve"})
        assert page.status_code == 404
        assert (await browser.get("/device", params={"code": "WDJB-MJHT"})).status_code == 404
        assert 'name="code"' in (await browser.get("/device")).text
    assert (await door.nobody().call("POST", "/device/token", json={"device_code": "x"})).status_code == 404


async def test_an_impatient_device_is_slowed_down(door: Door) -> None:
    code = await _start(door)
    assert (await _ask(door, code))["status"] == "pending"
    slowed = await _ask(door, code)
    assert (slowed["status"], slowed["interval"]) == ("slow_down", code["interval"] + 5)
    await _change(door, last_polled_at=utc_now() - timedelta(seconds=slowed["interval"]))
    assert (await _ask(door, code))["status"] == "pending"


async def test_only_a_session_approves_and_a_disabled_user_gets_no_key(door: Door) -> None:
    ann = await door.add_person()
    code = await _start(door)
    body = {"user_code": code["user_code"]}
    assert (await ann.call("POST", "/device/approve", json=body)).status_code == 403
    session = Person(door.http, ann.user_id, await _session(door, ann.user_id))
    assert (await session.post("/device/approve", body))["status"] == "approved"
    root = await door.add_person(is_administrator=True)
    await root.patch(f"/users/{ann.user_id}", {"is_disabled": True})
    answer = await _ask(door, code)
    assert (answer["status"], answer["key"]) == ("denied", None)


async def test_codes_are_bounded_and_cannot_be_guessed_at_length(door: Door) -> None:
    for _ in range(MOST_OF_ADDRESS):
        await _start(door)
    refused = await door.nobody().call("POST", "/device/code", json={"client_name": "x"})
    assert refused.status_code == 429
    ann = await door.add_person()
    session = Person(door.http, ann.user_id, await _session(door, ann.user_id))
    seen = {
        (await session.call("POST", "/device/deny", json={"user_code": f"BCDF-GH{a}{b}"})).status_code
        for a in "JKLMNPQR"
        for b in "STVWXZB"
    }
    assert seen == {404, 429}


def test_a_code_is_read_however_it_was_typed() -> None:
    assert {canonical_code(text) for text in ("WDJB-MJHT", "wdjbmjht", " wdjb mjht ")} == {"WDJB-MJHT"}
