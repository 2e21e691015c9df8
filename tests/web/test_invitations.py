"""Invitations through the API and by the page behind their link."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.smtp_server import Inbox, serve_smtp
from tests.stand_ins import stand_in_platform
from tests.web.door import Door, Person, open_door

from towline.actions.correspondence import correspond_once

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `serve_smtp`

PASSWORD = "tram orbit velvet cactus"
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


async def _shop(door: Door) -> tuple[Person, str]:
    owner = await door.add_person()
    return owner, (await owner.post("/projects", {"name": "shop"}))["id"]


async def test_a_new_user_comes_by_a_link_and_is_signed_in(door: Door) -> None:
    owner, shop = await _shop(door)
    made = await owner.post("/invitations", {"email": "Kim@Example.com", "project": shop, "role": "developer"})
    token = made["link"].rpartition("/")[2]
    assert (made["is_mailed"], made["email"]) == (False, "kim@example.com")
    listed = await owner.get("/invitations", project=shop)
    assert [one["id"] for one in listed["items"]] == [made["id"]]
    assert token not in str(listed)

    offer = await door.nobody().post("/invitations/lookup", {"token": token})
    assert (offer["project"], offer["role"], offer["email"]) == ("shop", "developer", "kim@example.com")
    body = {"token": token, "name": "Kim", "password": PASSWORD}
    weak = await door.nobody().call("POST", "/invitations/accept", json={**body, "password": "password123"})
    assert (weak.status_code, weak.json()["field"]) == (422, "password")
    accepted = await door.nobody().call("POST", "/invitations/accept", json=body)
    assert (accepted.status_code, accepted.json()["role"]) == (201, "developer")
    assert "towline_session" in accepted.headers["set-cookie"]
    assert "httponly" in accepted.headers["set-cookie"].lower()
    again = await door.nobody().call("POST", "/invitations/accept", json=body)
    assert again.status_code == 404
    members = (await owner.get(f"/projects/{shop}/members"))["items"]
    assert ("kim@example.com", "developer") in {(one["email"], one["role"]) for one in members}


async def test_with_a_mail_server_only_the_address_gets_the_link(mailing: Door, inbox: Inbox) -> None:
    owner, shop = await _shop(mailing)
    made = await owner.post("/invitations", {"email": "kim@example.com", "project": shop, "role": "viewer"})
    assert (made["is_mailed"], made["link"]) == (True, None)
    await correspond_once(mailing.platform)
    assert [message["to"] for message in inbox.messages] == ["kim@example.com"]
    first = inbox.find_link()
    await owner.post(f"/invitations/{made['id']}/resend")
    await correspond_once(mailing.platform)
    second = inbox.find_link()
    assert (await mailing.http.get(first)).status_code == 404
    assert (await mailing.http.get(second)).status_code == 200


async def test_the_page_takes_a_name_and_a_password_without_a_script(door: Door) -> None:
    owner, shop = await _shop(door)
    made = await owner.post("/invitations", {"email": "kim@example.com", "project": shop, "role": "viewer"})
    path = "/invitation/" + made["link"].rpartition("/")[2]
    shown = await door.http.get(path)
    assert (shown.status_code, shown.headers["referrer-policy"]) == (200, "same-origin")
    assert "shop" in shown.text
    assert "<script" not in shown.text
    weak = await door.http.post(path, content="name=Kim&password=short", headers=FORM)
    assert (weak.status_code, "<form" in weak.text) == (422, True)
    foreign = {**FORM, "Sec-Fetch-Site": "cross-site"}
    content = "name=%3Cb%3EKim&password=" + PASSWORD.replace(" ", "+")
    assert (await door.http.post(path, content=content, headers=foreign)).status_code == 403
    done = await door.http.post(path, content=content, headers=FORM)
    assert done.status_code == 200
    assert "towline_session" in done.headers["set-cookie"]
    assert (await door.http.get(path)).status_code == 404


async def test_who_has_an_account_joins_with_it_and_keeps_the_stronger_role(door: Door) -> None:
    owner, shop = await _shop(door)
    root = await door.add_person(is_administrator=True)
    kim = await door.add_person()
    email = f"{kim.user_id}@example.com"
    made = await owner.post("/invitations", {"email": email, "project": shop, "role": "viewer"})
    token = made["link"].rpartition("/")[2]
    taken = await door.nobody().call(
        "POST", "/invitations/accept", json={"token": token, "name": "Kim", "password": PASSWORD}
    )
    assert taken.status_code == 409
    limited = await door.add_key(kim.user_id, scopes=["view_projects"])
    for other in (root, limited):
        assert (await other.call("POST", "/invitations/join", json={"token": token})).status_code == 403
    await root.post(f"/projects/{shop}/members", {"user": email, "role": "admin"})
    assert (await kim.post("/invitations/join", {"token": token}))["role"] == "admin"


async def test_who_lost_the_right_has_invited_in_vain(door: Door) -> None:
    owner, shop = await _shop(door)
    admin = await door.add_member(shop, "admin")
    root = await door.add_person(is_administrator=True)
    kim = await door.add_person()
    email = f"{kim.user_id}@example.com"
    made = await admin.post("/invitations", {"email": email, "project": shop, "role": "admin"})
    token = made["link"].rpartition("/")[2]
    await owner.patch(f"/projects/{shop}/members/{admin.user_id}", {"role": "developer"})
    assert (await kim.call("POST", "/invitations/join", json={"token": token})).status_code == 403
    await owner.patch(f"/projects/{shop}/members/{admin.user_id}", {"role": "admin"})
    await root.patch(f"/users/{admin.user_id}", {"is_disabled": True})
    assert (await kim.call("POST", "/invitations/join", json={"token": token})).status_code == 403
    renewed = await owner.post(f"/invitations/{made['id']}/resend")
    assert (await kim.post("/invitations/join", {"token": renewed["link"].rpartition("/")[2]}))["role"] == "admin"


async def test_administrators_invite_to_the_instance(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    made = await root.post("/invitations", {"email": "kim@example.com", "is_administrator": True})
    assert (await root.call("POST", "/invitations", json={"email": "kim@example.com"})).status_code == 409
    token = made["link"].rpartition("/")[2]
    body = {"token": token, "name": "Kim", "password": PASSWORD}
    assert (await door.nobody().post("/invitations/accept", body))["is_administrator"] is True
    assert (await root.get("/users", email="kim@example.com"))["items"][0]["is_administrator"] is True
    wrong = await root.call("POST", "/invitations", json={"email": "a@example.com", "role": "viewer"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "role")


async def test_nobody_invites_to_more_than_they_hold_or_revokes_it(door: Door) -> None:
    owner, shop = await _shop(door)
    admin = await door.add_member(shop, "admin")
    body = {"email": "kim@example.com", "project": shop, "role": "owner"}
    assert (await admin.call("POST", "/invitations", json=body)).status_code == 403
    made = await owner.post("/invitations", body)
    assert (await admin.call("DELETE", f"/invitations/{made['id']}")).status_code == 403
    assert (await admin.call("POST", f"/invitations/{made['id']}/resend")).status_code == 403
    await owner.delete(f"/invitations/{made['id']}")
    token = made["link"].rpartition("/")[2]
    assert (await door.nobody().call("POST", "/invitations/lookup", json={"token": token})).status_code == 404
