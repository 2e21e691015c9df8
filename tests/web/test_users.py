"""Users and password resets through the API, by mail, and by the pages behind their links."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.smtp_server import Inbox, serve_smtp
from tests.stand_ins import stand_in_platform
from tests.web.door import Door, Person, open_door

from towline.actions.correspondence import correspond_once
from towline.actions.password_reset import ask_for_reset
from towline.actions.sessions import open_session
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.members import Mail, ResetRequest
from towline.models.sessions import Ticket

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `serve_smtp`

PASSWORD = "tram orbit velvet cactus"
PROVIDER = {"name": "mine", "kind": "github", "client_id": "a", "client_secret": "b", "is_trusted": True}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """A mail server."""
    async with serve_smtp() as inbox:
        yield inbox


@pytest.fixture
async def mailing(tmp_path: Path, postgres_url: str, redis_url: str, inbox: Inbox) -> AsyncIterator[Door]:
    """The application of a platform that sends mail."""
    parts: dict[str, Any] = {"postgres_url": postgres_url, "redis_url": redis_url, "smtp_url": inbox.url}
    async with stand_in_platform(tmp_path, **parts) as platform, open_door(platform) as door:
        yield door


async def _session(door: Door, user_id: str) -> Person:
    async with door.platform.database.transaction() as work:
        made = await open_session(
            door.platform, work, user_id=user_id, method="password", device="test", address="203.0.113.9"
        )
    return Person(door.http, user_id, made.value)


async def test_a_disabled_user_loses_sessions_and_keys_for_good(door: Door) -> None:
    root, kim = await door.add_person(is_administrator=True), await door.add_person()
    browser = await _session(door, kim.user_id)
    assert (await browser.call("GET", "/account")).status_code == 200
    assert (await root.patch(f"/users/{kim.user_id}", {"is_disabled": True}))["is_disabled"] is True
    assert [(await who.call("GET", "/account")).status_code for who in (kim, browser)] == [401, 401]
    await root.patch(f"/users/{kim.user_id}", {"is_disabled": False})
    assert [(await who.call("GET", "/account")).status_code for who in (kim, browser)] == [401, 401]
    assert (await (await _session(door, kim.user_id)).call("GET", "/account")).status_code == 200


async def test_the_last_administrator_stays_one(door: Door) -> None:
    root, other = await door.add_person(is_administrator=True), await door.add_person()
    for change in ({"is_disabled": True}, {"is_administrator": False}):
        assert (await root.call("PATCH", f"/users/{root.user_id}", json=change)).status_code == 409
    await root.patch(f"/users/{other.user_id}", {"is_administrator": True})
    assert (await root.patch(f"/users/{root.user_id}", {"is_administrator": False}))["is_administrator"] is False
    assert (await root.call("GET", "/users")).status_code == 403
    assert (await other.call("PATCH", f"/users/{other.user_id}", json={"is_disabled": True})).status_code == 409


async def test_sessions_do_not_grow_with_their_user(door: Door) -> None:
    root, kim = await door.add_person(is_administrator=True), await door.add_person()
    old = await _session(door, kim.user_id)
    await root.patch(f"/users/{kim.user_id}", {"is_administrator": True})
    assert (await old.call("GET", "/users")).status_code == 401
    new, other = await _session(door, kim.user_id), await _session(door, kim.user_id)
    await new.patch(f"/users/{kim.user_id}", {"is_administrator": True, "name": "Kim"})
    assert (await other.call("GET", "/users")).status_code == 200
    await new.patch(f"/users/{kim.user_id}", {"is_administrator": False})
    assert [(await who.call("GET", "/users")).status_code for who in (new, other)] == [403, 401]


async def test_a_limited_key_of_an_administrator_opens_no_way_to_more(door: Door) -> None:
    root, kim = await door.add_person(is_administrator=True), await door.add_person()
    limited = await door.add_key(root.user_id, scopes=["administer"])
    await root.post("/identity-providers", {**PROVIDER, "name": "company"})
    tries = [
        await limited.call("POST", "/users", json={"email": "a@example.com", "is_administrator": True}),
        await limited.call("PATCH", f"/users/{kim.user_id}", json={"is_administrator": True}),
        await limited.call("POST", f"/users/{root.user_id}/password-reset"),
        await limited.call("POST", "/invitations", json={"email": "b@example.com", "is_administrator": True}),
        await limited.call("POST", "/identity-providers", json=PROVIDER),
        await limited.call("PATCH", "/identity-providers/company", json={"is_trusted": True}),
        await limited.call("DELETE", f"/users/{root.user_id}/second-factors"),
    ]
    assert [answer.status_code for answer in tries] == [403] * 7
    assert (await limited.patch(f"/users/{kim.user_id}", {"is_disabled": True}))["is_disabled"] is True


async def test_a_link_by_mail_is_offered_where_mail_goes_out(door: Door, mailing: Door) -> None:
    silent, speaking = [(await one.http.get("/password-reset")).text for one in (door, mailing)]
    assert "<form" in speaking
    assert "<form" not in silent
    assert "Ask an administrator" in silent


async def test_a_created_user_chooses_a_password_by_the_link_once(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    made = await root.post("/users", {"email": "kim@example.com", "name": "Kim"})
    path = "/password-reset/" + made["link"].rpartition("/")[2]
    assert "kim@example.com" in (await door.http.get(path)).text
    weak = await door.http.post(path, content="password=short", headers=FORM)
    assert (weak.status_code, "<form" in weak.text) == (422, True)
    content = "password=" + PASSWORD.replace(" ", "+")
    assert (await door.http.post(path, content=content, headers=FORM)).status_code == 200
    assert (await door.http.post(path, content=content, headers=FORM)).status_code == 404
    assert (await door.http.get(path)).status_code == 404
    async with door.platform.database.transaction() as work:
        user = (await work.session.scalars(select(User).where(User.id == made["id"]))).one()
    assert await door.platform.passwords.verify(user.password_hash, PASSWORD)


async def test_a_reset_by_mail_ends_all_sessions_and_works_once(mailing: Door, inbox: Inbox) -> None:
    kim = await mailing.add_person()
    browser = await _session(mailing, kim.user_id)
    answers = [
        await mailing.nobody().call("POST", "/password-reset", json={"email": email})
        for email in (f"{kim.user_id}@example.com", "nobody@example.com")
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].text == answers[1].text
    await correspond_once(mailing.platform)
    assert [message["to"] for message in inbox.messages] == [f"{kim.user_id}@example.com"]
    token = inbox.find_link().rpartition("/")[2]
    body = {"token": token, "password": PASSWORD}
    assert (await browser.call("GET", "/account")).status_code == 200
    assert (await mailing.nobody().post("/password-reset/finish", body))["email"] == f"{kim.user_id}@example.com"
    assert (await browser.call("GET", "/account")).status_code == 401
    assert (await mailing.nobody().call("POST", "/password-reset/finish", json=body)).status_code == 404
    assert await _count(mailing, Mail.id, Mail.text != b"") == 0


async def test_the_page_asks_for_the_mail_without_a_script(mailing: Door, inbox: Inbox) -> None:
    kim = await mailing.add_person()
    shown = await mailing.http.get("/password-reset")
    assert (shown.status_code, "<form" in shown.text, "<script" in shown.text) == (200, True, False)
    pages = [
        await mailing.http.post("/password-reset", content=f"email={email}".replace("@", "%40"), headers=FORM)
        for email in (f"{kim.user_id}@example.com", "nobody@example.com")
    ]
    assert [page.status_code for page in pages] == [202, 202]
    assert pages[0].text == pages[1].text
    assert (await mailing.http.post("/password-reset", content="email=x", headers=FORM)).status_code == 422
    await correspond_once(mailing.platform)
    assert (await mailing.http.get(inbox.find_link())).status_code == 200


async def test_an_old_link_and_that_of_a_disabled_user_are_worthless(mailing: Door, inbox: Inbox) -> None:
    root, kim = await mailing.add_person(is_administrator=True), await mailing.add_person()
    old = await root.post(f"/users/{kim.user_id}/password-reset")
    new = await root.post(f"/users/{kim.user_id}/password-reset")
    assert await _finish(mailing, old["link"]) == 404
    async with mailing.platform.database.transaction() as work:
        await work.session.execute(update(Ticket).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert await _finish(mailing, new["link"]) == 404
    latest = await root.post(f"/users/{kim.user_id}/password-reset")
    await root.patch(f"/users/{kim.user_id}", {"is_disabled": True})
    assert await _finish(mailing, latest["link"]) == 404
    await mailing.nobody().post("/password-reset", {"email": f"{kim.user_id}@example.com"})
    await correspond_once(mailing.platform)
    assert inbox.messages == []


async def test_asking_often_sends_few_mails_and_says_nothing(mailing: Door, inbox: Inbox) -> None:
    kim = await mailing.add_person()
    seen = {
        (await mailing.nobody().call("POST", "/password-reset", json={"email": f"{kim.user_id}@example.com"})).text
        for _ in range(6)
    }
    assert len(seen) == 1
    for number in range(20):
        await mailing.nobody().post("/password-reset", {"email": f"n{number}@example.com"})
    assert await _count(mailing, ResetRequest.id) == 20
    await correspond_once(mailing.platform)
    assert len(inbox.messages) == 3


async def test_one_network_is_one_asker_however_many_addresses_it_has(mailing: Door) -> None:
    for number in range(25):
        address = f"2001:db8::{number:x}"
        await ask_for_reset(mailing.platform, email=f"n{number}@example.com", address=address)
    assert await _count(mailing, ResetRequest.id) == 20
    await ask_for_reset(mailing.platform, email="other@example.com", address="2001:db8:0:1::1")
    assert await _count(mailing, ResetRequest.id) == 21


async def test_without_a_mail_server_it_is_said_and_not_pretended(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    asked = await door.nobody().call("POST", "/password-reset", json={"email": "kim@example.com"})
    assert (asked.status_code, "reset-password" in asked.json()["hint"]) == (409, True)
    assert (await root.call("POST", "/mail/test", json={})).status_code == 409


async def test_the_test_mail_tells_what_the_server_said(mailing: Door, inbox: Inbox) -> None:
    root = await mailing.add_person(is_administrator=True)
    told = await root.post("/mail/test", {"to": "kim@example.com"})
    assert (told["answer"], told["server"]) == ("250 2.0.0 Ok: queued as 4Bq", f"127.0.0.1:{inbox.port}")
    inbox.refusals["kim@example.com"] = "550 5.7.1 we do not like you"
    refused = await root.call("POST", "/mail/test", json={"to": "kim@example.com"})
    assert (refused.status_code, "550 5.7.1 we do not like you" in refused.json()["detail"]) == (502, True)


async def _finish(door: Door, link: str) -> int:
    body = {"token": link.rpartition("/")[2], "password": PASSWORD}
    return (await door.nobody().call("POST", "/password-reset/finish", json=body)).status_code


async def _count(door: Door, column: Any, *conditions: Any) -> int:
    async with door.platform.database.transaction() as work:
        return await work.session.scalar(select(func.count(column)).where(*conditions)) or 0
