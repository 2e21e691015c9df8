"""Pages of previews: what their forms do with what people really enter."""

import re
from typing import Any, Final

from sqlalchemy import update
from tests.web.dashboard.visitors import Scene, make_scene
from tests.web.door import Door

from towline.models.previews import Preview
from towline.models.projects import Environment

_COMMIT: Final = "5" * 40
_PREVIEWS: Final = "/projects/{project}/previews"


async def _make(scene: Scene) -> str:
    """The path of a new preview's page, made from the form."""
    sent = {"name": "new-cart", "title": "The new cart", "ref": ""}
    made = await scene.people["developer"].send(_PREVIEWS.format(**scene.values), sent)
    assert made.status_code == 303, made.text
    path = made.headers["location"]
    assert isinstance(path, str)
    return path


async def _facts(scene: Scene, path: str) -> dict[str, Any]:
    """What the API says of a preview."""
    answer = await scene.people["viewer"].call("GET", path)
    found: dict[str, Any] = answer.json()
    return found


async def _set(scene: Scene, path: str, **values: Any) -> None:
    async with scene.door.platform.database.transaction() as work:
        await work.session.execute(update(Preview).where(Preview.id == path.rpartition("/")[2]).values(**values))


async def test_a_preview_is_made_from_its_form_and_taken_away(door: Door) -> None:
    scene = await make_scene(door)
    developer, path = scene.people["developer"], await _make(scene)
    page = (await developer.get(path)).text
    assert "The new cart" in page
    assert "Its newest deployment" in page
    for form in ("deploy", "extend", "wake"):
        assert (await developer.send(f"{path}/{form}", {"sent": "yes"})).headers.get("location") == path, form
    gone = await developer.send(f"{path}/delete", {"sent": "yes"})
    assert gone.headers["location"] == _PREVIEWS.format(**scene.values)
    assert "new-cart" not in (await developer.get(gone.headers["location"])).text.partition("New preview")[0]


async def test_who_visits_a_preview_and_how_long_it_stays_are_set_by_its_form(door: Door) -> None:
    scene = await make_scene(door)
    developer, path = scene.people["developer"], await _make(scene)
    wanted = {"title": "Cart", "protection": "link", "hours": "48", "sleeps": "15", "is_kept": "on"}
    assert (await developer.send(path, wanted)).headers["location"] == path
    found = await _facts(scene, path)
    assert (found["title"], found["protection"], found["is_protected_from_cap"]) == ("Cart", "link", True)
    assert (found["lifetime_seconds"], found["sleeps_after_seconds"]) == (48 * 3600, 15 * 60)
    assert (await developer.send(path, {"title": "Cart", "hours": "", "sleeps": ""})).status_code == 303
    kept = await _facts(scene, path)
    assert (kept["lifetime_seconds"], kept["sleeps_after_seconds"], kept["protection"]) == (None, None, "link")
    assert (await developer.send(path, {"hours": "soon"})).status_code == 422


async def test_a_share_link_is_shown_once_and_ended(door: Door) -> None:
    scene = await make_scene(door)
    developer, path = scene.people["developer"], await _make(scene)
    await developer.send(path, {"title": "", "protection": "link"})
    made = await developer.send(f"{path}/share", {"sent": "yes"})
    found = re.search(r'data-copy="([^"]+/_towline/share/[^"]+)"', made.text)
    assert (made.status_code, found is not None, "shown this once" in made.text) == (200, True, True)
    page = (await developer.get(path)).text
    assert "/_towline/share/" not in page
    assert "End the share link" in page
    assert "End the share link" not in (await scene.people["viewer"].get(path)).text
    assert (await developer.send(f"{path}/share/delete", {"sent": "yes"})).headers["location"] == path
    assert "End the share link" not in (await developer.get(path)).text


async def test_a_commit_of_a_fork_is_approved_by_its_button(door: Door) -> None:
    scene = await make_scene(door)
    developer, path = scene.people["developer"], await _make(scene)
    await _set(scene, path, is_fork=True, state="waiting", head_revision=_COMMIT)
    page = (await developer.get(path)).text
    assert f"Let {_COMMIT[:8]} run" in page
    assert (await developer.send(f"{path}/approve", {"revision": _COMMIT})).headers["location"] == path
    assert (await _facts(scene, path))["state"] == "active"


async def test_a_preview_that_sleeps_offers_to_wake(door: Door) -> None:
    scene = await make_scene(door)
    developer, path = scene.people["developer"], await _make(scene)
    environment_id = (await _facts(scene, path))["environment_id"]
    async with door.platform.database.transaction() as work:
        asleep = update(Environment).where(Environment.id == environment_id).values(sleep="asleep")
        await work.session.execute(asleep)
    assert "Wake it" in (await developer.get(path)).text
    assert (await developer.send(f"{path}/wake", {"sent": "yes"})).headers["location"] == path
