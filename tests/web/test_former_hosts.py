"""A former address of Towline: programs are answered there as ever, and who opens a page is sent on."""

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests.web.door import Door, Person
from tests.web.serving import serving, wait_until
from websockets.asyncio.client import connect

from towline.actions.platform import Platform
from towline.actions.sessions import open_session
from towline.infra.former_hosts import FormerHosts
from towline.models.base import utc_now
from towline.models.sessions import Session
from towline.sources.signatures import sign_webhook

_OLD = "towline.old.test"
_BROWSER = {"Host": _OLD, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(autouse=True)
def moved(platform: Platform) -> None:
    """Towline was at towline.old.test, and is at towline.localhost."""
    FormerHosts(platform.settings.data_dir, current=_OLD).move()
    platform.former_hosts.move()


async def _former(root: Person) -> list[dict[str, Any]]:
    return (await root.get("/platform/former-hosts"))["items"]


@pytest.mark.parametrize("path", ["/", "/projects/shop%2Fx?a=1&b=%20", "//elsewhere.example/x", "/no-such-page"])
async def test_a_browser_is_led_to_the_same_page_at_the_present_address(door: Door, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await door.http.request(method, f"http://{_OLD}:8080{path}", headers=_BROWSER)
        assert (answer.status_code, answer.headers["location"]) == (307, f"http://towline.localhost{path}")
        assert answer.headers["cache-control"] == "no-store"
    here = await door.http.get("http://towline.localhost/", headers={"Accept": "text/html"})
    elsewhere = await door.http.get("http://203.0.113.1/", headers={"Accept": "text/html"})
    assert (here.status_code, elsewhere.status_code) == (200, 200)


async def test_a_provider_that_sends_somebody_back_to_the_old_address_is_led_on_with_its_answer(door: Door) -> None:
    answer = await door.http.get("/sign-in/with/github/callback?code=1&state=2", headers=_BROWSER)
    assert answer.headers["location"] == "http://towline.localhost/sign-in/with/github/callback?code=1&state=2"


async def test_programs_are_answered_there_and_the_use_is_noted(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    assert [(one["host"], one["last_used_at"]) for one in await _former(root)] == [(_OLD, None)]
    for refused in (door.nobody(), Person(door.http, token="twl_" + "x" * 43)):
        assert (await refused.call("GET", "/account", headers=_BROWSER)).status_code == 401
    fetched = await door.http.get("/git/a/b.git/info/refs?service=git-upload-pack", headers={"Host": _OLD})
    assert fetched.status_code == 401
    assert (await door.http.get("/readyz", headers={"Host": _OLD})).status_code == 200
    assert (await _former(root))[0]["last_used_at"] is None, "what is not let in is no use"
    there = Person(door.http, root.user_id, root.token, {"Host": _OLD})
    await there.post("/projects", {"name": "shop"})
    assert (await _former(root))[0]["last_used_at"]


async def test_a_webhook_arrives_there(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    await root.post("/projects", {"name": "shop"})
    source = {"type": "custom", "config": {"image": "app:1"}}
    await root.post("/projects/shop/services", {"name": "api", "source": source})
    made = await root.post("/projects/shop/services/api/webhook-secrets", {})
    timestamp = int(time.time())
    signature = sign_webhook(b"", made["value"], timestamp=timestamp)
    headers = {"Host": _OLD, "X-Towline-Timestamp": str(timestamp), "X-Towline-Signature": signature}
    answer = await door.http.post("/hooks" + made["url"].partition("/hooks")[2], headers=headers)
    assert answer.status_code in {200, 202}, answer.text
    assert (await _former(root))[0]["last_used_at"]


async def test_a_form_of_a_page_that_was_open_there_is_taken(door: Door) -> None:
    headers = {**_BROWSER, "Origin": f"http://{_OLD}"}
    answer = await door.http.post("/sign-out", headers=headers)
    assert (answer.status_code, answer.headers["location"].startswith("/")) == (303, True)


async def test_events_are_followed_there(platform: Platform) -> None:
    async with serving(platform) as served:
        headers = {"Authorization": f"Bearer {served.owner.token}", "Origin": f"http://{_OLD}:{served.port}"}
        url = f"ws://{_OLD}:{served.port}/api/v1/ws"
        async with connect(url, host="127.0.0.1", port=served.port, additional_headers=headers, proxy=None):
            pass

        async def is_noted() -> bool:
            return platform.former_hosts.list_hosts()[0].last_used_at is not None

        await wait_until(is_noted)


async def test_a_retired_one_is_no_address_any_more(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    await root.delete(f"/platform/former-hosts/{_OLD}")
    assert await _former(root) == []
    assert (await root.call("DELETE", f"/platform/former-hosts/{_OLD}")).status_code == 404
    assert (await door.http.get("/sign-in", headers=_BROWSER)).status_code == 200, "the router leads nobody here"


async def test_a_session_needs_a_fresh_proof_to_retire_one(door: Door, platform: Platform) -> None:
    person = await door.add_person(is_administrator=True)
    async with platform.database.transaction() as work:
        opened = await open_session(
            platform, work, user_id=person.user_id, method="password", device="test", address=""
        )
        await work.session.execute(update(Session).values(authenticated_at=utc_now() - timedelta(hours=1)))
    session = Person(door.http, person.user_id, opened.value)
    assert (await session.call("DELETE", f"/platform/former-hosts/{_OLD}")).json()["code"] == "proof-needed"
    assert platform.former_hosts.has(_OLD)
