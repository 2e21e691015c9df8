"""Signing in by password, and the sessions it opens, through the HTTP door."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from tests.stand_ins import stand_in_platform
from tests.web.browser import Browser
from tests.web.door import Door, open_door

from towline.actions.mail import mail_context
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.history import AuditEntry
from towline.models.members import Mail
from towline.models.sessions import Session

EMAIL, PASSWORD = "ann@example.com", "seven lazy tugboats"


async def _add_ann(door: Door, *, email: str = EMAIL) -> str:
    person = await door.add_person()
    password_hash = await door.platform.passwords.hash(PASSWORD)
    async with door.platform.database.transaction() as work:
        values = {"email": email, "password_hash": password_hash}
        await work.session.execute(update(User).where(User.id == person.user_id).values(values))
    return person.user_id


async def test_a_cookie_session_signs_in_lists_itself_and_signs_out(door: Door) -> None:
    await _add_ann(door)
    browser = Browser(door.app)
    made = await browser.sign_in(" Ann@Example.com".strip(), PASSWORD)
    assert made.status_code == 201
    assert made.json()["token"] is None
    cookie = next(value for value in made.headers.get_list("set-cookie") if value.startswith("towline_session="))
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    listed = (await browser.call("GET", "/sessions")).json()["items"]
    assert [(row["device"], row["method"], row["address"], row["is_current"]) for row in listed] == [
        ("Firefox on Linux", "password", "203.0.113.9", True)
    ]
    account = (await browser.call("GET", "/account")).json()
    assert (account["key"], account["has_password"], account["permissions"]) == (None, True, ["*"])
    assert account["session"]["id"] == listed[0]["id"]
    assert (await browser.call("DELETE", "/session")).status_code == 204
    assert (await browser.call("GET", "/account")).status_code == 401


async def test_wrong_password_and_unknown_address_get_the_same_answer(door: Door) -> None:
    user_id = await _add_ann(door)
    browser = Browser(door.app)
    wrong = await browser.sign_in(EMAIL, "not it at all")
    unknown = await browser.sign_in("bob@example.com", PASSWORD)
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(User).where(User.id == user_id).values(disabled_at=utc_now()))
    disabled = await browser.sign_in(EMAIL, PASSWORD)
    assert (wrong.status_code, wrong.content) == (401, unknown.content)
    assert (disabled.status_code, disabled.content) == (401, unknown.content)
    assert not browser.http.cookies
    async with door.platform.database.transaction() as work:
        entries = (await work.session.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    assert [(entry.action, entry.outcome, entry.object_id) for entry in entries] == [
        ("sessions.create", "refused", user_id),
        ("sessions.create", "refused", ""),
        ("sessions.create", "refused", ""),
    ]
    assert "not it at all" not in str([entry.detail for entry in entries])


async def test_on_https_no_other_host_can_plant_the_cookie(door: Door) -> None:
    await _add_ann(door)
    browser = Browser(door.app, scheme="https")
    made = await browser.sign_in(EMAIL, PASSWORD)
    cookies = made.headers.get_list("set-cookie")
    assert all(value.startswith("__Host-towline_") and "; Secure" in value for value in cookies)
    assert "Domain" not in "".join(cookies)
    assert (await browser.call("GET", "/account")).status_code == 200
    value = browser.http.cookies["__Host-towline_session"]
    planted = Browser(door.app, scheme="https")
    planted.http.cookies.set("towline_session", value)
    assert (await planted.call("GET", "/account")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://towline.test"}, 201),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://towline.test"}, 201),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://shop.towline.test"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://shop.towline.test"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_a_cookie_counts_for_towlines_own_pages_only(door: Door, headers: dict[str, str], status: int) -> None:
    await _add_ann(door)
    browser = Browser(door.app)
    await browser.sign_in(EMAIL, PASSWORD)
    made = await browser.http.post("/api/v1/projects", json={"name": "shop"}, headers=headers)
    assert made.status_code == status, made.text
    assert (await browser.http.get("/api/v1/projects", headers=headers)).status_code == 200
    token = browser.http.cookies["towline_session"]
    by_token = {"Authorization": f"Bearer {token}", **headers}
    assert (await door.http.post("/api/v1/projects", json={"name": "other"}, headers=by_token)).status_code == 201


async def test_a_new_password_ends_the_other_sessions_and_gives_this_one_another_value(door: Door) -> None:
    await _add_ann(door)
    here, there = Browser(door.app), Browser(door.app)
    await here.sign_in(EMAIL, PASSWORD)
    await there.sign_in(EMAIL, PASSWORD)
    before = here.http.cookies["towline_session"]
    new = "eleven quiet lighthouses"
    wrong = {"current_password": "guess guess guess", "new_password": new}
    assert (await here.call("POST", "/account/password", json=wrong)).json()["field"] == "current_password"
    right = {"current_password": PASSWORD, "new_password": new}
    assert (await here.call("POST", "/account/password", json=right)).json() == {"token": None}
    assert here.http.cookies["towline_session"] != before
    assert (await here.call("GET", "/account")).status_code == 200
    assert (await there.call("GET", "/account")).status_code == 401
    old_value = {"Authorization": f"Bearer {before}"}
    assert (await door.http.get("/api/v1/account", headers=old_value)).status_code == 401
    assert (await there.sign_in(EMAIL, PASSWORD)).status_code == 401
    assert (await there.sign_in(EMAIL, new)).status_code == 201


async def test_an_administrator_takes_a_free_address_at_once_but_only_with_the_password(door: Door) -> None:
    user_id = await _add_ann(door)
    await _add_ann(door, email="bob@example.com")
    browser = Browser(door.app)
    await browser.sign_in(EMAIL, PASSWORD)
    renamed = await browser.call("PATCH", "/account", json={"name": "Anna"})
    assert renamed.json()["user"]["name"] == "Anna"
    wanted = {"email": "new@example.com", "password": PASSWORD}
    refused = await browser.call("PATCH", "/account", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), "others need a mail to confirm it by"
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(User).where(User.id == user_id).values(is_administrator=True))
    wrong = await browser.call("PATCH", "/account", json={"email": "new@example.com"})
    taken = await browser.call("PATCH", "/account", json={"email": "bob@example.com", "password": PASSWORD})
    moved = await browser.call("PATCH", "/account", json=wanted)
    assert [answer.status_code for answer in (wrong, taken, moved)] == [422, 409, 200]
    assert (await browser.call("GET", "/account")).json()["user"]["email"] == "new@example.com"


async def test_others_confirm_an_address_by_the_link_sent_there_and_by_their_own_account_alone(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    places = {"postgres_url": postgres_url, "redis_url": redis_url}
    async with (
        stand_in_platform(tmp_path, **places, smtp_url="smtp://127.0.0.1:9") as platform,
        open_door(platform) as door,
    ):
        await _add_ann(door)
        await _add_ann(door, email="bob@example.com")
        ann, bob = Browser(door.app), Browser(door.app)
        await ann.sign_in(EMAIL, PASSWORD)
        await bob.sign_in("bob@example.com", PASSWORD)
        asked = await ann.call("PATCH", "/account", json={"email": "new@example.com", "password": PASSWORD})
        assert (asked.json()["user"]["email"], asked.json()["pending_email"]) == (EMAIL, "new@example.com")
        async with platform.database.transaction() as work:
            mail = (await work.session.scalars(select(Mail))).one()
        assert mail.recipient == "new@example.com"
        found = re.search(r"/account/email/([\w-]+)", platform.secrets.open_text(mail.text, context=mail_context(mail)))
        assert found is not None
        path, token = found[0], found[1]
        assert (await Browser(door.app).get(path)).headers["location"] == f"/sign-in?next={path}"
        assert (await bob.call("POST", "/account/email", json={"token": token})).status_code == 404
        assert (await ann.get(path)).status_code == 200
        assert "new@example.com" in (await ann.send(path, {})).text
        assert (await ann.send(path, {})).status_code == 404
        assert (await ann.call("GET", "/account")).json()["user"]["email"] == "new@example.com"


async def test_one_session_or_all_others_can_be_ended_but_never_anothers(door: Door) -> None:
    await _add_ann(door)
    await _add_ann(door, email="bob@example.com")
    browsers = [Browser(door.app) for _ in range(4)]
    for browser in browsers[:3]:
        await browser.sign_in(EMAIL, PASSWORD)
    await browsers[3].sign_in("bob@example.com", PASSWORD)
    first, second, _, bob = browsers
    sessions = (await first.call("GET", "/sessions?limit=2")).json()
    assert len(sessions["items"]) == 2
    rest = (await first.call("GET", f"/sessions?limit=2&cursor={sessions['next_cursor']}")).json()
    assert [row["is_current"] for row in rest["items"]] == [True]
    own_of_second = (await second.call("GET", "/account")).json()["session"]["id"]
    assert (await bob.call("DELETE", f"/sessions/{own_of_second}")).status_code == 404
    assert (await first.call("DELETE", f"/sessions/{own_of_second}")).status_code == 204
    assert (await second.call("GET", "/account")).status_code == 401
    assert (await first.call("POST", "/sessions/end-others")).json() == {"ended": 1}
    assert [(await browser.call("GET", "/account")).status_code for browser in browsers] == [200, 401, 401, 200]


async def test_a_session_ends_when_it_is_idle_or_too_old(door: Door) -> None:
    await _add_ann(door)
    now, settings = utc_now(), door.platform.settings
    for change in (
        {"last_used_at": now - settings.session_idle - timedelta(seconds=1)},
        {"expires_at": now - timedelta(seconds=1)},
    ):
        browser = Browser(door.app)
        await browser.sign_in(EMAIL, PASSWORD)
        assert (await browser.call("GET", "/account")).status_code == 200
        async with door.platform.database.transaction() as work:
            await work.session.execute(update(Session).values(change))
        assert "expired" in (await browser.call("GET", "/account")).json()["detail"]


async def test_the_page_works_without_scripts_and_goes_on_to_own_paths_only(door: Door) -> None:
    await _add_ann(door)
    browser = Browser(door.app)
    shown = await browser.get("/sign-in?next=/device")
    assert 'name="next" value="/device"' in shown.text
    assert "unsafe" not in shown.headers["content-security-policy"]
    wrong = await browser.send("/sign-in", {"email": EMAIL, "password": "not it at all", "next": "/device"})
    assert (wrong.status_code, "is wrong" in wrong.text, "not it at all" in wrong.text) == (401, True, False)
    for target, expected in (
        ("/device", "/device"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
    ):
        done = await browser.send("/sign-in", {"email": EMAIL, "password": PASSWORD, "next": target})
        assert (done.status_code, done.headers["location"]) == (303, expected)
    assert EMAIL in (await browser.get("/sign-in")).text
    async with door.platform.database.transaction() as work:
        open_now = (await work.session.scalars(select(Session).where(Session.revoked_at.is_(None)))).all()
    assert len(open_now) == 1, "signing in again ends the session before"
    assert (await browser.send("/sign-out", {}, origin="http://evil.example")).status_code == 403
    assert (await browser.send("/sign-out", {})).headers["location"] == "/sign-in"
    assert (await browser.call("GET", "/account")).status_code == 401
