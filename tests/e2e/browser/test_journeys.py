"""Journeys in a real browser: the first run, two at work at once, by keyboard alone, and what each role is offered."""

import secrets
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.e2e.browser.keyboard import go, press, type_into
from tests.e2e.browser.people import add_user, sign_in
from tests.e2e.conftest import QUICK
from tests.e2e.parts import app, succeeded
from tests.running import RunningTowline, running_towline, tar_of

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(600)]
_WAIT: Final = 90_000
_PATIENCE: Final = 30_000
_PASSWORD: Final = "seven lazy tugboats"

#                       viewer developer admin owner
_CONTROLS: Final = {
    ("services/web", "Deploy", "link"): (0, 1, 1, 1),
    ("services/web", "Restart", "button"): (0, 1, 1, 1),
    ("services/web/variables", "Set", "button"): (0, 0, 1, 1),
    ("services/web/domains", "Add", "button"): (0, 0, 1, 1),
    ("previews", "Create and deploy", "button"): (0, 1, 1, 1),
    ("previews", "Save", "button"): (0, 0, 1, 1),
    ("members", "Invite", "button"): (0, 0, 1, 1),
    ("settings", "Create", "button"): (0, 0, 1, 1),
    ("settings", "Delete the project", "button"): (0, 0, 0, 1),
}
"""How many of a control each role finds on a page of the project."""


@pytest.fixture(scope="module")
def fresh(base_image: str) -> Iterator[RunningTowline]:
    """A Towline whose set-up link nobody has opened yet; its tests run in whatever order."""
    assert base_image
    with running_towline(**QUICK) as running:
        yield running


@pytest.fixture
def project(fresh: RunningTowline) -> Iterator[str]:
    """The name of a project of this Towline; it is gone afterwards, as the first run wants none."""
    name = f"p{secrets.token_hex(4)}"
    yield name
    fresh.client.projects.delete(name)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of somebody who was never here before."""
    context = _patient(browser)
    yield context.new_page()
    context.close()


@pytest.fixture
def other(browser: Browser) -> Iterator[Page]:
    """Another person's page."""
    context = _patient(browser)
    yield context.new_page()
    context.close()


def _patient(browser: Browser) -> BrowserContext:
    context = browser.new_context()
    context.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    return context


def test_the_set_up_link_leads_to_an_administrator_with_a_live_address(
    page: Page, fresh: RunningTowline, project: str
) -> None:
    page.goto(str(fresh.outcome["setup_link"]))
    page.get_by_label("Your name").fill("Ann")
    page.get_by_label("E-mail address").fill("ann@example.com")
    page.get_by_label("Password").fill(_PASSWORD)
    page.get_by_role("button", name="Set up Towline").click()
    page.goto(f"{fresh.api_url}/")
    first = page.locator("#first-part")
    expect(first).to_contain_text("ann@example.com")
    expect(first).to_contain_text("localhost")
    expect(first).to_contain_text("Waits for the first deployment.")
    page.get_by_label("Project", exact=True).fill(project)
    page.get_by_label("Service", exact=True).fill("web")
    page.get_by_label("Upload").check()
    archive = {"name": "app.tar", "mimeType": "application/x-tar", "buffer": tar_of(app("the first run"))}
    page.locator("input[type=file]").set_input_files([archive])  # pyright: ignore[reportArgumentType]
    page.get_by_role("button", name="Create and deploy").click()
    expect(page.locator("#deployment-part .big")).to_have_text("Live", timeout=_WAIT)
    page.goto(f"{fresh.api_url}/")
    link = page.locator("#first-part a[target=_blank]")
    assert "the first run" in fresh.get(link.inner_text().partition(":")[0]).text


def test_two_at_work_see_what_the_other_does_and_keep_what_they_type(
    page: Page, other: Page, fresh: RunningTowline, project: str
) -> None:
    fresh.create_service(project)
    found, path = fresh.client.projects.get(project), f"/projects/{project}/services/web/variables"
    for one in (page, other):
        sign_in(one, fresh.api_url, add_user(fresh, project=found.id, role="admin"), path)
    other.get_by_label("Name", exact=True).fill("HALF_TYPED")
    _set_variable(page, "GREETING", "hello")
    for one in (page, other):
        expect(one.locator("#var-GREETING")).to_contain_text("hello")
    expect(other.get_by_label("Name", exact=True)).to_have_value("HALF_TYPED")
    _set_variable(other, "GREETING", "good evening")
    expect(page.locator("#var-GREETING")).to_contain_text("good evening")
    other.goto(f"{fresh.api_url}/projects/{project}")
    fresh.create_service(project, "late")
    expect(other.get_by_role("link", name="late").first).to_be_visible()


def test_everything_common_is_done_by_keyboard_alone(page: Page, fresh: RunningTowline, project: str) -> None:
    fresh.create_service(project)
    for text in ("one", "two"):
        succeeded(fresh.deploy_files(project, app(text)))
    service, account = f"/projects/{project}/services/web", add_user(fresh, is_administrator=True)
    page.goto(f"{fresh.api_url}/sign-in")
    type_into(page, page.get_by_label("E-mail address"), account.email)
    type_into(page, page.get_by_label("Password"), account.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()

    go(page, f"{project} web variables", f"{service}/variables")
    type_into(page, page.get_by_label("Name", exact=True), "GREETING")
    type_into(page, page.get_by_label("Value"), "hello")
    press(page, page.get_by_role("button", name="Set", exact=True))
    expect(page.locator("#var-GREETING")).to_contain_text("hello")

    go(page, f"{project} members", f"/projects/{project}/members")
    type_into(page, page.get_by_label("E-mail address"), "kim@example.com")
    press(page, page.get_by_role("button", name="Invite"))
    expect(page.locator("#made code")).to_contain_text("/invitation/")

    go(page, f"{project} web", service)
    press(page, page.get_by_role("link", name="#2", exact=True))
    page.wait_for_url("**/deployments/*")
    before = page.url
    press(page, page.get_by_role("button", name="Deploy the same again"))
    _wait_until_live(page, before)
    go(page, f"{project} web", service)
    before = page.url
    press(page, page.get_by_role("button", name="Roll back to release 1"))
    _wait_until_live(page, before)


def test_each_role_is_offered_what_it_may_do(browser: Browser, fresh: RunningTowline, project: str) -> None:
    fresh.create_service(project)
    succeeded(fresh.deploy_files(project, app("hello")))
    found = fresh.client.projects.get(project)
    wrong: list[str] = []
    for place, role in enumerate(("viewer", "developer", "admin", "owner")):
        invited = {"is_administrator": True} if role == "owner" else {"project": found.id, "role": role}
        context = _patient(browser)
        page = context.new_page()
        sign_in(page, fresh.api_url, add_user(fresh, **invited))
        for (path, name, kind), expected in _CONTROLS.items():
            page.goto(f"{fresh.api_url}/projects/{project}/{path}")
            main = page.locator("main")
            control = main.get_by_role("link" if kind == "link" else "button", name=name, exact=True)
            if control.count() != expected[place]:
                wrong.append(f"{name} on {path} as {role}: {control.count()}")
        context.close()
    assert wrong == []


def _set_variable(page: Page, name: str, value: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Value").fill(value)
    page.get_by_role("button", name="Set", exact=True).click()


def _wait_until_live(page: Page, before: str) -> None:
    """Wait for the page of a new deployment, and for that to be live."""
    expect(page).not_to_have_url(before)
    expect(page.locator("#deployment-part .big")).to_have_text("Live", timeout=_WAIT)
