"""The one-time set-up link: whoever comes first becomes the administrator."""

from tests.web.browser import Browser
from tests.web.door import Door

from towline.actions.first_keys import create_local_key
from towline.actions.setup import create_setup_link

GOOD: dict[str, str] = {"name": "Ann", "email": "Ann@Example.com", "password": "seven lazy tugboats"}


async def _make_link(door: Door) -> str:
    async with door.platform.database.transaction() as work:
        return await create_setup_link(work)


async def test_the_form_makes_the_first_administrator_who_is_signed_in_then(door: Door) -> None:
    local_key = await create_local_key(door.platform)
    token = await _make_link(door)
    ann, late = Browser(door.app), Browser(door.app)
    shown = await ann.get(f"/setup/{token}")
    weak = await ann.send(f"/setup/{token}", {**GOOD, "password": "password123"})
    used = await ann.send(f"/setup/{token}", GOOD)
    twice = await late.send(f"/setup/{token}", GOOD)

    assert [answer.status_code for answer in (shown, weak, used, twice)] == [200, 422, 303, 404]
    assert "too easy to guess" in weak.text
    assert 'value="Ann@Example.com"' in weak.text
    assert "password123" not in weak.text
    account = (await ann.call("GET", "/account")).json()
    assert account["user"] | {"id": ""} == {
        "id": "",
        "name": "Ann",
        "email": "ann@example.com",
        "is_administrator": True,
    }
    assert account["session"]["method"] == "setup"
    assert used.headers["cache-control"] == "no-store"
    assert await _make_link(door) == ""
    by_key = await door.http.get("/api/v1/account", headers={"Authorization": f"Bearer {local_key}"})
    assert by_key.json()["user"]["id"] == account["user"]["id"], "the server's own key belongs to that administrator"


async def test_the_link_works_for_programs_too(door: Door) -> None:
    token = await _make_link(door)
    made = await door.nobody().post("/setup", {**GOOD, "token": token, "kind": "token"})
    listed = await door.http.get("/api/v1/sessions", headers={"Authorization": f"Bearer {made['token']}"})
    assert [row["is_current"] for row in listed.json()["items"]] == [True]


async def test_a_newer_link_takes_the_place_of_an_unused_one(door: Door) -> None:
    old = await _make_link(door)
    new = await _make_link(door)
    browser = Browser(door.app)

    assert (await browser.get(f"/setup/{old}")).status_code == 404
    assert (await browser.get(f"/setup/{new}")).status_code == 200
    assert (await browser.send("/setup/nonsense", GOOD)).status_code == 404
    foreign = await browser.send(f"/setup/{new}", GOOD, origin="http://evil.example")
    assert foreign.status_code == 403
    assert (await browser.get(f"/setup/{new}")).status_code == 200
