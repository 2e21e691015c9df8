"""What every page of the dashboard keeps to: its size, its headers, inert text, forms without scripts."""

import gzip
import re

from tests.web.browser import Browser
from tests.web.dashboard.visitors import Scene, make_scene
from tests.web.door import Door

from towline.actions.live.rooms import get_newest_sequence

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e" + "w" * 10_000
_ASSET = re.compile(r'(?:src|href)="(/_towline/assets/[a-z0-9.]+)"|from "\./([a-z0-9]+\.js)"')
_MOST_BYTES = 150_000


async def _set(scene: Scene, name: str, value: str) -> int:
    path = "/projects/{project}/services/{service}/variables".format(**scene.values)
    return (await scene.people["owner"].send(path, {"name": name, "value": value})).status_code


async def test_hostile_text_is_shown_whole_and_stays_text(door: Door) -> None:
    scene = await make_scene(door)
    assert await _set(scene, "NASTY", HOSTILE) == 303
    page = await scene.people["owner"].get("/projects/{project}/services/{service}/variables".format(**scene.values))
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "w" * 10_000 in page.text
    assert re.search(r"<[^>]*\s(style|on[a-z]+)=|<style|<script(?! type=\"module\" src=)", page.text) is None
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert page.headers["cache-control"] == "no-store"


async def test_a_first_load_is_small_and_a_second_one_fetches_no_asset_again(door: Door) -> None:
    scene = await make_scene(door)
    page = await scene.people["owner"].get("/deployments/{deployment}".format(**scene.values))
    size, wanted, seen = len(gzip.compress(page.content)), [match[0] for match in _ASSET.findall(page.text)], set[str]()
    while wanted:
        path = wanted.pop()
        if path not in seen:
            seen.add(path)
            answer = await door.http.get(path)
            assert answer.status_code == 200
            size += len(gzip.compress(answer.content))
            wanted += [f"/_towline/assets/{name}" for _, name in _ASSET.findall(answer.text) if name]
            again = await door.http.get(path, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
    assert len(seen) >= 5
    assert size <= _MOST_BYTES
    assert (await door.http.get("/_towline/assets/..%2ftemplating.py")).status_code == 404


async def test_a_refused_form_says_why_to_people_and_to_scripts(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/services/{service}/variables".format(**scene.values)
    page = await owner.send(path, {"name": "no name", "value": "1"})
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    headers = {"Origin": owner.origin, "X-Towline-Form": "1"}
    problem = await owner.http.post(path, data={"name": "no name", "value": "1"}, headers=headers)
    assert (problem.status_code, problem.json()["code"]) == (422, "invalid-input")
    done = await owner.http.post(path, data={"name": "NAME", "value": "1"}, headers=headers)
    assert done.json() == {"to": path}


async def test_the_answer_to_a_form_says_which_page_sent_it(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/members".format(**scene.values)
    headers = {"Origin": owner.origin, "Referer": f"{owner.origin}{path}?from=mail"}
    fields = {"email": "kim@example.com", "role": "viewer"}
    assert f'data-here="{path}?from=mail"' in (await owner.http.post(path, data=fields, headers=headers)).text
    strange = await owner.http.post(path, data=fields, headers={**headers, "Referer": f"{owner.origin}.evil.test/"})
    assert "data-here" not in strange.text


async def test_who_is_not_signed_in_any_more_is_told_so_by_a_form(door: Door) -> None:
    away, headers = Browser(door.app), {"X-Towline-Form": "1"}
    answer = await away.http.post("/account/keys", data={"name": "a"}, headers={**headers, "Origin": away.origin})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    headers = {"Origin": away.origin, "Referer": f"{away.origin}/account/keys"}
    answer = await away.http.post("/account/keys", data={"name": "a"}, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/account/keys")


async def test_a_viewer_is_offered_nothing_to_do(door: Door) -> None:
    scene = await make_scene(door)
    service = "/projects/{project}/services/{service}".format(**scene.values)
    for path in ("", "/deployments", "/deploy", "/variables", "/domains", "/settings"):
        page = await scene.people["viewer"].get(service + path)
        main = page.text.partition("<main")[2]
        assert "<form" not in main, path
        assert re.search("<button(?![^>]* data-copy=)", main) is None, path


async def test_a_page_says_from_which_event_on_its_script_must_listen(door: Door) -> None:
    scene = await make_scene(door)
    path = "/projects/{project}/services/{service}".format(**scene.values)
    known = re.search(
        r'<body data-now="[0-9T:+-]+" data-rooms="project:\S+ user:\S+" data-since="(\d+)">',
        (await scene.people["viewer"].get(path)).text,
    )
    assert known is not None
    assert int(known[1]) == await get_newest_sequence(door.platform)


async def test_who_is_not_signed_in_comes_back_after_signing_in(door: Door) -> None:
    away = await Browser(door.app).get("/account/keys")
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in?next=/account/keys")


async def test_the_first_page_of_an_administrator_shows_the_first_steps_and_what_each_waits_for(door: Door) -> None:
    scene = await make_scene(door)
    page = (await scene.people["root"].get("/")).text
    assert "First steps" in page
    assert "Only browsers on this machine reach it." in page
    assert 'href="http://web-shop.localhost"' in page.partition('id="first-part"')[2].partition("</section>")[0]
    assert "First steps" not in (await scene.people["owner"].get("/")).text
    await scene.world.deploy("exits:1")
    steps = (await scene.people["root"].get("/")).text.partition('id="first-part"')[2].partition("</section>")[0]
    assert "failed; the release before it serves on." in steps
    assert '<span class="state bad">Failed' not in steps
    answer = await scene.people["root"].call("GET", "/platform/domain-check?domain=shop.localhost")
    assert (answer.json()["host"], answer.json()["problem"]) == ("towline-check.shop.localhost", "")
