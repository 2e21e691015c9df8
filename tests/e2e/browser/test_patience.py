"""What a page shows while something takes long: that it is busy, how far it is; and nothing is done twice."""

import re
import secrets
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from tests.e2e.browser.people import add_user, sign_in
from tests.running import RunningTowline, tar_of

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(180)]
_PATIENCE = 30_000
_PRESS_TWICE = """button => {
    const refused = [];
    document.addEventListener("submit", (event) => refused.push(event.defaultPrevented));
    button.click();
    button.click();
    return { refused, busy: button.getAttribute("aria-busy") };
}"""


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of a patient person."""
    context.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    return context.new_page()


def _hold(page: Page, path: str, method: str) -> list[Route]:
    """Calls that are not answered yet; whoever holds one lets it go on."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == method:
            held.append(route)
        else:
            route.continue_()

    page.route(path, hold)
    return held


def test_a_button_says_that_it_is_busy_and_is_obeyed_once(page: Page, towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    path = f"/projects/{project}/services/web/variables"
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), path)
    held = _hold(page, f"**{path}", "POST")
    page.get_by_label("Name", exact=True).fill("GREETING")
    page.get_by_label("Value").fill("hello")
    button = page.get_by_role("button", name="Set", exact=True)
    button.click()
    expect(page.locator("#busy")).to_have_text("Working…")
    expect(button).to_have_attribute("aria-busy", "true")
    button.click()
    button.press("Enter")
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("#var-GREETING")).to_contain_text("hello")
    expect(page.locator("#busy")).to_have_text("")
    expect(button).not_to_have_attribute("aria-busy", "true")


def test_a_form_that_the_browser_sends_is_sent_once(page: Page, towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    path = f"/projects/{project}/members"
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), path)
    page.get_by_label("E-mail address").fill("kim@example.com")
    told = page.get_by_role("button", name="Invite").evaluate(_PRESS_TWICE)
    assert told == {"refused": [False, True], "busy": "true"}
    expect(page.locator("#made code")).to_contain_text("/invitation/")
    found = [one.email for one in towline.client.invitations.iterate(project)]
    assert found == ["kim@example.com"]


def test_an_upload_says_how_far_it_is(page: Page, towline: RunningTowline, project: str, tmp_path: Path) -> None:
    towline.create_service(project)
    archive = tmp_path / "app.tar"
    archive.write_bytes(tar_of({"large": secrets.token_bytes(6 * 1024 * 1024)}))
    path = f"/projects/{project}/services/web/deploy"
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), path)
    held = _hold(page, "**/uploads/**", "PATCH")
    page.locator("input[type=file]").set_input_files(archive)
    button = page.get_by_role("button", name="Send and deploy")
    with page.expect_request(lambda request: request.method == "PATCH"):
        button.click()
    expect(page.locator("#busy")).to_have_text("Working…")
    button.click()
    expect(page.locator("[data-sent]")).to_have_text(re.compile(r"\d %"))
    assert len(held) == 1
    with page.expect_request(lambda request: request.method == "PATCH"):
        held.pop().continue_()
    expect(page.locator("[data-sent]")).to_have_text("Sent: 66 %")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", re.compile(r"66\.\d+"))
    held.pop().abort()
    expect(page.get_by_role("alert")).to_contain_text("Towline does not answer. Try again")
    expect(button).not_to_have_attribute("aria-busy", "true")
