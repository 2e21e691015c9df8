"""The one-time set-up link: one key for whoever comes first."""

import re

from tests.web.door import Door

from towline.actions.setup import create_setup_link


async def test_a_link_gives_one_key_once_and_only_when_asked_to(door: Door) -> None:
    token = await create_setup_link(door.platform)
    shown = await door.http.get(f"/setup/{token}")
    again = await door.http.get(f"/setup/{token}")
    used = await door.http.post(f"/setup/{token}")
    twice = await door.http.post(f"/setup/{token}")

    assert (shown.status_code, again.status_code, used.status_code, twice.status_code) == (200, 200, 200, 404)
    found = re.search(r"twl_\w+", used.text)
    assert found is not None
    account = await door.http.get("/api/v1/account", headers={"Authorization": f"Bearer {found[0]}"})
    assert account.json()["user"]["is_administrator"] is True
    assert used.headers["cache-control"] == "no-store"
    assert await create_setup_link(door.platform) == ""


async def test_a_newer_link_takes_the_place_of_an_unused_one(door: Door) -> None:
    old = await create_setup_link(door.platform)
    new = await create_setup_link(door.platform)

    assert (await door.http.get(f"/setup/{old}")).status_code == 404
    assert (await door.http.get(f"/setup/{new}")).status_code == 200
    assert (await door.http.post("/setup/nonsense")).status_code == 404
