"""Sessions of people whose role changes: the next request by cookie gets another value, and the one before ends."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import select, update
from tests.web.browser import HOST, Browser
from tests.web.door import Door, Person

from towline.actions.sessions import open_session, require_renewal
from towline.models.base import utc_now
from towline.models.sessions import Session

_COOKIE = "towline_session"
Change = Callable[[Door, Person, str, Person], Awaitable[object]]


def _show(browser: Browser, value: str) -> None:
    browser.http.cookies.clear()
    browser.http.cookies.set(_COOKIE, value, domain=HOST)


def _value(browser: Browser) -> str:
    return browser.http.cookies[_COOKIE]


def _brings_value(answer: httpx2.Response) -> bool:
    return any(line.startswith(f"{_COOKIE}=tws_") for line in answer.headers.get_list("set-cookie"))


async def _sign_in(door: Door, user_id: str) -> Browser:
    async with door.platform.database.transaction() as work:
        made = await open_session(door.platform, work, user_id=user_id, method="password", device="", address="")
    browser = Browser(door.app)
    _show(browser, made.value)
    return browser


async def _require_renewal(door: Door, who: Person) -> None:
    async with door.platform.database.transaction() as work:
        await require_renewal(work, who.user_id)


async def _let_time_pass(door: Door) -> None:
    """Requests with a value from before have had their few seconds."""
    async with door.platform.database.transaction() as work:
        times = (await work.session.scalars(select(Session.previous_until))).all()
        assert all(until is None or until <= utc_now() + timedelta(seconds=10) for until in times)
        await work.session.execute(update(Session).values(previous_until=utc_now()))


def _email(who: Person) -> str:
    return f"{who.user_id}@example.com"


async def _join(door: Door, owner: Person, shop: str, who: Person) -> None:
    root = await door.add_person(is_administrator=True)
    await root.post(f"/projects/{shop}/members", {"user": _email(who), "role": "viewer"})


async def _promote(door: Door, owner: Person, shop: str, who: Person) -> None:
    await _join(door, owner, shop, who)
    await owner.patch(f"/projects/{shop}/members/{who.user_id}", {"role": "admin"})


async def _hand_over(door: Door, owner: Person, shop: str, who: Person) -> None:
    await _join(door, owner, shop, who)
    await owner.post(f"/projects/{shop}/transfer", {"user": who.user_id})


async def _invite(door: Door, owner: Person, shop: str, who: Person) -> None:
    made = await owner.post("/invitations", {"email": _email(who), "project": shop, "role": "developer"})
    await who.post("/invitations/join", {"token": made["link"].rpartition("/")[2]})


async def _remove(door: Door, owner: Person, shop: str, who: Person) -> None:
    await _join(door, owner, shop, who)
    await owner.delete(f"/projects/{shop}/members/{who.user_id}")


@pytest.mark.parametrize("change", [_join, _promote, _hand_over, _invite, _remove])
async def test_a_change_of_role_gives_each_session_another_value_at_its_next_request(
    door: Door, change: Change
) -> None:
    owner, who = await door.add_person(), await door.add_person()
    shop = (await owner.post("/projects", {"name": "shop"}))["id"]
    browsers = [await _sign_in(door, who.user_id) for _ in range(2)]
    before = [_value(browser) for browser in browsers]
    await change(door, owner, shop, who)
    for browser in browsers:
        assert _brings_value(await browser.call("GET", "/account"))
        assert not _brings_value(await browser.call("GET", "/account"))
    await _let_time_pass(door)
    for browser, value in zip(browsers, before, strict=True):
        assert _value(browser) != value
        assert (await browser.call("GET", "/account")).status_code == 200
        _show(browser, value)
        assert (await browser.call("GET", "/account")).status_code == 401


async def test_of_who_becomes_administrator_no_session_is_left_and_of_who_stops_being_one_their_own(door: Door) -> None:
    root, who = await door.add_person(is_administrator=True), await door.add_person()
    browser, other = await _sign_in(door, who.user_id), await _sign_in(door, who.user_id)
    made = await root.call("PATCH", f"/users/{who.user_id}", json={"is_administrator": True})
    assert made.status_code == 200
    for ended in (browser, other):
        assert (await ended.call("GET", "/account")).status_code == 401
    browser = await _sign_in(door, root.user_id)
    assert (await browser.call("PATCH", f"/users/{root.user_id}", json={"is_administrator": False})).status_code == 200
    before = _value(browser)
    assert _brings_value(await browser.call("GET", "/account"))
    await _let_time_pass(door)
    _show(browser, before)
    assert (await browser.call("GET", "/account")).status_code == 401


async def test_requests_sent_together_are_all_answered_and_one_brings_the_new_value(door: Door) -> None:
    who = await door.add_person()
    browser = await _sign_in(door, who.user_id)
    await _require_renewal(door, who)
    answers = await asyncio.gather(*(browser.call("GET", "/account") for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert [_brings_value(answer) for answer in answers].count(True) == 1
    await _let_time_pass(door)
    assert (await browser.call("GET", "/account")).status_code == 200


async def test_pages_and_forms_go_on_under_the_value_that_they_bring(door: Door) -> None:
    who = await door.add_person()
    browser = await _sign_in(door, who.user_id)
    for ask in (
        lambda: browser.get("/"),
        lambda: browser.get("/account/security"),
        lambda: browser.send("/new", {"project": "shop", "service": "web", "source": "image", "image": "app:1"}),
    ):
        await _require_renewal(door, who)
        answer = await ask()
        assert answer.status_code < 400, answer.text
        assert _brings_value(answer)
        await _let_time_pass(door)
    assert (await browser.call("GET", "/account")).status_code == 200


async def test_who_signs_out_with_a_value_that_is_due_is_signed_out(door: Door) -> None:
    who = await door.add_person()
    browser = await _sign_in(door, who.user_id)
    before = _value(browser)
    await _require_renewal(door, who)
    answer = await browser.call("DELETE", "/session")
    assert (answer.status_code, _brings_value(answer)) == (204, False)
    _show(browser, before)
    assert (await browser.call("GET", "/account")).status_code == 401


async def test_a_value_under_way_still_ends_its_session(door: Door) -> None:
    who = await door.add_person()
    browser, late = await _sign_in(door, who.user_id), Browser(door.app)
    _show(late, _value(browser))
    await _require_renewal(door, who)
    await browser.call("GET", "/account")
    assert (await late.send("/sign-out", {})).status_code < 400
    assert (await browser.call("GET", "/account")).status_code == 401


async def test_a_program_that_sends_its_session_as_a_token_keeps_it(door: Door) -> None:
    who = await door.add_person()
    browser = await _sign_in(door, who.user_id)
    program = Person(door.http, who.user_id, _value(browser))
    await _require_renewal(door, who)
    answers = [await program.call("GET", "/account") for _ in range(2)]
    assert [(answer.status_code, _brings_value(answer)) for answer in answers] == [(200, False)] * 2
