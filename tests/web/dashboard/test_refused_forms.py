"""Refused forms without scripts: the page once more, with what was typed, and what is wrong at its field."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from tests.web.browser import Browser
from tests.web.dashboard.visitors import make_scene
from tests.web.door import Door

import towline
import towline.web.dashboard
from towline.errors import InvalidInput
from towline.web.dashboard.refilled import refill
from towline.web.dashboard.refusals import HINTS_OF_PAGES

_SOURCES = Path(towline.__file__).parent
_TEMPLATES = Path(towline.web.dashboard.__file__).parent / "templates"
_SECRET = re.compile("secret|password|token|credential")
_ROW = (
    '<form method="post" action="/role"><input type="hidden" name="user" value="{}"><select name="role">'
    "<option selected>viewer</option><option>admin</option></select></form>"
)


async def _send(browser: Browser, page: str, path: str, fields: Mapping[str, str]) -> httpx2.Response:
    """Send a form of a page, as a browser without scripts does."""
    headers = {"Origin": browser.origin, "Referer": browser.origin + page}
    return await browser.http.post(path, data=dict(fields), headers=headers)


async def test_what_was_typed_stands_in_the_form_again_and_what_is_wrong_at_its_field(door: Door) -> None:
    scene = await make_scene(door)
    path = "/projects/{project}/services/{service}/variables".format(**scene.values)
    typed = {"name": "no name", "value": "1 <b>\n2", "mount_path": "/run/key", "environment": "production"}
    page = await _send(scene.people["owner"], path, path, typed)
    assert page.status_code == 422
    assert "What the next deployment gives" in page.text
    assert re.search(r'<input id="variable-name"[^>]* value="no name"[^>]* aria-invalid="true"', page.text)
    assert "\n1 &lt;b&gt;\n2</textarea>" in page.text
    assert 'value="/run/key"' in page.text
    assert re.search(r'</p><p class="problem" id="refusal" role="alert" data-keep><strong>Name: ', page.text)
    assert "Correct it, then send the form again." in page.text
    assert f'data-here="{path}"' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_a_refusal_names_a_field_as_the_page_does_and_opens_the_fold_it_is_in(door: Door) -> None:
    scene = await make_scene(door)
    page = "/projects/{project}".format(**scene.values)
    typed = {"service": "No Name", "source": "image", "image": "app:1", "type": "worker"}
    refused = await _send(scene.people["owner"], page, f"{page}/new", typed)
    assert refused.status_code == 422
    assert "<strong>Service: " in refused.text
    assert re.search(r'<details class="panel fold" id="new" open>', refused.text)
    assert re.search(r'value="image" checked', refused.text)
    assert '<option value="worker" selected>' in refused.text

    settings = "/projects/{project}/services/{service}/settings".format(**scene.values)
    wanted = {"name": "web", "image": "app:1", "health_kind": "auto", "memory": "1", "cpus": ""}
    refused = await _send(scene.people["owner"], settings, settings, wanted)
    assert refused.status_code == 422
    assert "<strong>Memory of one instance in MiB: " in refused.text
    refused = await _send(
        scene.people["owner"], settings, settings, {**wanted, "memory": "64", "health_path": "no path"}
    )
    assert "<strong>Path of the HTTP request: must begin with a slash and have no spaces.</strong>" in refused.text


async def test_no_secret_is_sent_back(door: Door) -> None:
    scene = await make_scene(door)
    owner, project = scene.people["owner"], "/projects/{project}".format(**scene.values)
    service = f"{project}/services/{scene.values['service']}"
    where = {"environment": "production"}
    tries = (
        (f"{service}/variables", {"name": "no name", "value": "hunter2", "is_secret": "on", **where}),
        (f"{service}/variables/file", {"lines": "no name=hunter2", "is_secret": "on", **where}),
        (f"{project}/registries", {"host": "no host", "username": "kim", "password": "hunter2"}),
        (f"{project}/connections", {"platform": "github", "host": "no host", "secret": "hunter2"}),
        (f"{project}/notifications", {"name": "", "kind": "telegram", "address": "hunter2"}),
    )
    for path, fields in tries:
        refused = await _send(owner, path, path, fields)
        assert (refused.status_code, "hunter2" in refused.text) == (422, False), path
        assert 'id="refusal"' in refused.text, path
    typed = {"service": "git", "source": "git", "url": "https://kim:hunter2@git.example.com/a.git"}
    refused = await _send(owner, project, f"{project}/new", typed)
    assert (refused.status_code, "hunter2" in refused.text) == (422, False)


async def test_where_there_is_no_such_page_the_refusal_has_its_own(door: Door) -> None:
    scene = await make_scene(door)
    path = "/projects/{project}/services/{service}/variables".format(**scene.values)
    for page in ("", "/account/keys", "/projects/none-of-these", "/nothing", "/account/keys?next=//elsewhere.test"):
        refused = await _send(scene.people["owner"], page, path, {"name": "no name", "value": "1"})
        assert (refused.status_code, "<h1>That did not work</h1>" in refused.text) == (422, True), page


def test_of_several_forms_with_one_address_the_one_that_was_sent_is_filled() -> None:
    page = _ROW.format("kim") + _ROW.format("lee")
    filled = refill(page, "/role", {"user": "lee", "role": "admin"}, InvalidInput("role: no.", field="role"))
    assert filled is not None
    assert filled.startswith(_ROW.format("kim"))
    assert "<option>viewer</option><option selected>admin</option>" in filled.removeprefix(_ROW.format("kim"))
    assert refill(page, "/role", {"user": "ann"}, InvalidInput("No.")) is None
    assert refill(page, "/other", {"user": "lee"}, InvalidInput("No.")) is None


@pytest.mark.parametrize("ticked", [True, False])
def test_boxes_are_ticked_as_they_were(ticked: bool) -> None:
    page = '<form action="/a"><p><label><input type="checkbox" name="b" checked> Box</label></p></form>'
    filled = refill(page, "/a", {"b": "on"} if ticked else {"c": "1"}, InvalidInput("No.", hint="Go on."))
    assert filled is not None
    assert (" checked" in filled) == ticked
    assert 'role="alert" data-keep><strong>No.</strong> Go on.</p><p><label>' in filled


def test_pages_translate_hints_that_are_given() -> None:
    sources = [path for path in _SOURCES.rglob("*.py") if path.name != "refusals.py"]
    given = "\n".join(path.read_text() for path in sources)
    assert [hint for hint in HINTS_OF_PAGES if f'"{hint}"' not in given] == []


class _Fields(HTMLParser):
    """Fields of a template that may hold a secret."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note those that would be sent back."""
        given = dict(attrs)
        is_told = given.get("type") not in ("password", "checkbox", "hidden") and "data-secret" not in given
        if tag in ("input", "textarea") and is_told and _SECRET.search(given.get("name") or ""):
            self.open.append(str(given))


def test_every_field_for_a_secret_is_marked_as_one() -> None:
    for template in _TEMPLATES.glob("*.html"):
        found = _Fields()
        found.feed(template.read_text())
        assert found.open == [], template.name
