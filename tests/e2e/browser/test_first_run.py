"""The first run, whole and in a real browser: set-up link, account, base domain, first deployment, live address."""

import re
from collections.abc import Iterator
from typing import Final

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.browser.people import add_user, sign_in
from tests.e2e.conftest import QUICK
from tests.running import RunningTowline, running_towline, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(600)]
_PATIENCE: Final = 30_000
_LONG: Final = 120_000
_PASSWORD: Final = "seven lazy tugboats"


@pytest.fixture(scope="module")
def fresh() -> Iterator[RunningTowline]:
    """A Towline whose set-up link nobody has opened yet, spoken to at the API's own port, as its host changes."""
    with running_towline(**QUICK) as running:
        running.bypass_router()
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of somebody who was never here before."""
    context = browser.new_context()
    context.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A page in a browser that runs no scripts."""
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(_PATIENCE)
    yield context.new_page()
    context.close()


def test_from_the_set_up_link_to_the_example_at_a_domain_of_its_own(page: Page, fresh: RunningTowline) -> None:
    page.goto(_url(fresh) + httpx2.URL(str(fresh.outcome["setup_link"])).path)
    page.get_by_label("Your name").fill("Ann")
    page.get_by_label("E-mail address").fill("ann@example.com")
    page.get_by_label("Password").fill(_PASSWORD)
    page.get_by_role("button", name="Set up Towline").click()

    first = page.locator("#first-part")
    expect(first).to_contain_text("ann@example.com")
    expect(first).to_contain_text("Waits for the first deployment.")
    expect(first.get_by_role("link", name=re.compile("^Keep .*localhost for now$"))).to_be_visible()
    page.get_by_label("Your own domain").fill("apps.localhost")
    page.keyboard.press("Enter")
    moved = fresh.url_of("towline.apps.localhost")
    expect(page.locator("#change-part")).to_contain_text(f"The dashboard moves to {moved}")
    left_open = page.context.new_page()
    left_open.goto(f"{_url(fresh)}/instance")
    page.get_by_role("button", name="Set the base domain").click()
    expect(page.locator("#moving")).to_contain_text("Towline starts again")
    page.wait_for_url(f"{moved}/", timeout=_LONG)
    left_open.wait_for_url(f"{moved}/sign-in**", timeout=_LONG)

    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address").fill("ann@example.com")
    page.get_by_label("Password").fill(_PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(first.locator("code").first).to_have_text("apps.localhost")
    first.get_by_role("button", name="The example").click()
    expect(page.locator("#deployment-part .big")).to_have_text("Live", timeout=_LONG)
    expect(page.locator("#deployment-part .hosts a")).to_have_text(f"hello.apps.localhost:{fresh.http_port}")
    page.goto(f"{moved}/")
    expect(first).to_contain_text("The example answers at")
    page.goto(fresh.url_of("hello.apps.localhost"))
    expect(page.locator("h1")).to_be_visible()


def test_the_domain_is_set_without_scripts_too(plain: Page, fresh: RunningTowline) -> None:
    before = _url(fresh)
    sign_in(plain, before, add_user(fresh, is_administrator=True), "/instance/domain")
    plain.get_by_label("Another domain").fill("plain.localhost")
    plain.get_by_role("button", name="Look it up").click()
    plain.get_by_role("button", name="Set the base domain").click()
    moved = fresh.url_of("towline.plain.localhost")
    assert plain.get_by_role("link", name=moved).count() == 1
    assert plain.get_by_role("link", name=before).count() == 1
    wait_for(lambda: fresh.get("towline.plain.localhost", "/readyz").status_code == 200, timeout=120)
    plain.get_by_role("link", name=moved).click()
    plain.wait_for_url(f"{moved}/")
    assert plain.get_by_role("link", name="Sign in").count() == 1


def test_a_browser_that_does_not_reach_the_new_address_stays_and_says_so(page: Page, fresh: RunningTowline) -> None:
    page.clock.install()
    before = _url(fresh)
    sign_in(page, before, add_user(fresh, is_administrator=True), "/instance/domain")
    page.get_by_label("Another domain").fill("far.localhost")
    page.get_by_role("button", name="Look it up").click()
    page.route("**/readyz", lambda route: route.abort())
    page.get_by_role("button", name="Set the base domain").click()
    expect(page.locator("#moving")).to_be_visible()
    expect(page.locator("#late")).to_be_hidden()
    page.clock.fast_forward(70_000)
    expect(page.locator("#late")).to_contain_text("This browser does not reach")
    assert page.url == f"{before}/instance/domain?domain=far.localhost"
    wait_for(lambda: fresh.get("towline.far.localhost", "/readyz").status_code == 200, timeout=120)
    page.unroute("**/readyz")
    page.wait_for_url(f"{fresh.url_of('towline.far.localhost')}/", timeout=_LONG)


def _url(towline: RunningTowline) -> str:
    return towline.client.instance.get_platform().url
