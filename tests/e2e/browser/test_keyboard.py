"""By keyboard alone: from a first service to its deletion, a second factor; and the keys that pages know."""

import re
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from pyotp.totp import TOTP
from tests.e2e.browser.keyboard import go, press, reach, type_into
from tests.e2e.browser.people import add_user, sign_in
from tests.e2e.parts import BASE, app, start_deployment, succeeded
from tests.running import RunningTowline

from towline.contract.environments import EnvironmentCreate
from towline.models.base import utc_now

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(300)]
_WAIT: Final = 90_000
_PATIENCE: Final = 30_000


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of a patient person."""
    context.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    return context.new_page()


def test_a_service_is_made_and_deleted_by_keyboard_alone(page: Page, towline: RunningTowline, project: str) -> None:
    sign_in(page, towline.api_url, add_user(towline))
    type_into(page, page.get_by_label("Project", exact=True), project)
    type_into(page, page.get_by_label("Service", exact=True), "web")
    reach(page, page.get_by_label("Git URL").first)
    page.keyboard.press("ArrowDown")
    expect(page.locator("input[value=image]")).to_be_checked()
    type_into(page, page.locator("#image"), BASE)
    press(page, page.get_by_role("button", name="Create and deploy"))
    page.wait_for_url("**/deployments/*")
    press(page, page.get_by_role("link", name=f"{project} / web"))
    page.wait_for_url(f"**/projects/{project}/services/web")
    service = f"/projects/{project}/services/web"

    go(page, f"{project} web domains", f"{service}/domains")
    type_into(page, page.get_by_label("Host"), f"{project}.example.com")
    press(page, page.get_by_label("HTTPS with a certificate"), "Space")
    press(page, page.get_by_role("button", name="Add", exact=True))
    press(page, page.get_by_role("button", name=f"Remove {project}.example.com"))
    expect(page.get_by_role("button", name=f"Remove {project}.example.com")).to_have_count(0)

    go(page, f"{project} web settings", f"{service}/settings")
    type_into(page, page.get_by_label("Type web to confirm"), "web")
    press(page, page.get_by_role("button", name="Delete the service"))
    page.wait_for_url(f"**/projects/{project}")
    expect(page.get_by_text("This project has no services yet.")).to_be_visible()


def test_logs_previews_and_keys_are_had_by_keyboard_alone(page: Page, towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, app("hello")))
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True))

    go(page, f"{project} web log", f"/projects/{project}/services/web/log")
    type_into(page, page.get_by_label("Text"), "nothing says this")
    press(page, page.get_by_role("button", name="Show"))
    expect(page.get_by_text("No line is like that.")).to_be_visible()

    go(page, f"{project} previews", f"/projects/{project}/previews")
    type_into(page, page.get_by_label("Name", exact=True).first, "try")
    press(page, page.get_by_role("button", name="Create and deploy"))
    page.wait_for_url(re.compile("/previews/prv_"))
    press(page, page.get_by_role("button", name="Remove it"))
    page.wait_for_url(f"**/projects/{project}/previews")

    press(page, page.locator("#account > summary"))
    press(page, page.locator("#account").get_by_role("link", name="API keys"))
    type_into(page, page.get_by_label("What it is for"), "ci")
    press(page, page.get_by_role("button", name="Make the key"))
    expect(page.locator("#made")).to_contain_text("shown this once")
    press(page, page.get_by_role("button", name="Revoke ci"))
    expect(page.get_by_role("button", name="Revoke ci")).to_have_count(0)


def test_a_release_is_promoted_and_a_deployment_cancelled_by_keyboard_alone(
    page: Page, towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    towline.client.environments.create(project, EnvironmentCreate(name="staging"))
    deployment = towline.deploy_files(project, app("hello"))
    succeeded(deployment)
    sign_in(page, towline.api_url, add_user(towline, is_administrator=True), f"/deployments/{deployment.id}")
    press(page, page.get_by_role("button", name="Promote without a build"))
    expect(page.locator("#deployment-part .meta").first).to_contain_text("staging")
    expect(page.locator("#deployment-part .big")).to_have_text("Live", timeout=_WAIT)

    slow = start_deployment(towline, project, app("slow", more=f'RUN ["/bin/sh", "-c", ": {project}; sleep 600"]'))
    page.goto(f"{towline.api_url}/deployments/{slow}")
    press(page, page.get_by_role("button", name="Cancel"))
    expect(page.locator("#deployment-part .big")).to_have_text("Cancelled", timeout=_WAIT)


def test_one_time_codes_are_set_up_by_keyboard_alone(page: Page, towline: RunningTowline) -> None:
    sign_in(page, towline.api_url, add_user(towline), "/account/security")
    press(page, page.get_by_role("button", name="Set up an authenticator app"))
    expect(page.get_by_label("Code the app shows")).to_be_focused()
    totp = TOTP(page.locator("[data-secret]").inner_text().replace(" ", ""))
    page.keyboard.type(totp.at(utc_now()))
    page.keyboard.press("Enter")
    press(page, page.get_by_role("button", name="I have kept them"))
    press(page, page.get_by_role("button", name="Turn them off"))
    expect(page.get_by_role("button", name="Set up an authenticator app")).to_be_visible()


def test_pages_tell_which_keys_they_know(page: Page, towline: RunningTowline) -> None:
    sign_in(page, towline.api_url, add_user(towline))
    expect(page.get_by_role("button", name="Go to")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("?")
    shown = page.get_by_role("dialog", name="Keyboard shortcuts")
    for key in ("Ctrl K", "/", "?", "Esc"):
        expect(shown.locator("kbd").get_by_text(key, exact=True)).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("dialog[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(shown).to_be_hidden()
    page.keyboard.press("/")
    palette = page.get_by_role("combobox", name="Go to a project, service or page")
    expect(palette).to_be_focused()
    expect(palette).to_have_value("")
    page.keyboard.press("Escape")
    type_into(page, page.get_by_label("Project", exact=True), "a/b?")
    expect(page.get_by_label("Project", exact=True)).to_have_value("a/b?")
    press(page, page.locator("#account > summary"))
    press(page, page.get_by_role("button", name="Keyboard shortcuts"))
    expect(shown).to_be_visible()


def test_the_palette_has_a_button_on_phones_too(page: Page, towline: RunningTowline) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, towline.api_url, add_user(towline))
    button = page.get_by_role("button", name="Go to")
    expect(button).to_be_in_viewport(ratio=1)
    press(page, button)
    expect(page.get_by_role("combobox", name="Go to a project, service or page")).to_be_focused()
    page.keyboard.type("sessions")
    page.keyboard.press("Enter")
    page.wait_for_url("**/account/sessions")
