"""Pages in rough hands: pressed twice, left and come back to, cut off, with a Towline that does not answer."""

import pytest
from playwright.sync_api import BrowserContext, expect
from tests.e2e.browser.people import add_user, sign_in
from tests.e2e.parts import app, succeeded
from tests.running import RunningTowline

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(300)]


def test_restart_stop_and_start_do_what_they_say_however_often_they_are_pressed(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, app("hello")))
    page = context.new_page()
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), f"/projects/{project}/services/web")
    instance = page.locator("#instances-part tbody tr")
    before = instance.get_attribute("id")
    page.get_by_role("button", name="Restart").dblclick()
    expect(page.locator(f"#{before}")).to_have_count(0, timeout=60_000)
    expect(instance).to_have_count(1)
    page.get_by_role("button", name="Stop").dblclick()
    expect(page.locator("#status-part")).to_contain_text("Stopped", timeout=60_000)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#status-part")).to_contain_text("Healthy", timeout=60_000)


def test_a_form_is_kept_where_only_the_proxy_answers(
    context: BrowserContext, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    page, path = context.new_page(), f"/projects/{project}/services/web/variables"
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), path)
    page.route(
        f"**{path}",
        lambda route: (
            route.fulfill(status=502, body="Bad Gateway") if route.request.method == "POST" else route.fallback()
        ),
    )
    page.get_by_label("Name", exact=True).fill("GREETING")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator(".problem")).to_have_text("Towline does not answer. Try again.")
    page.unroute(f"**{path}")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#var-GREETING")).to_be_visible()
