"""A provider and a device in a real browser: what it makes of redirects, cookies and the pages' own limits."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.browser.conftest import Visitor
from tests.running import RunningTowline
from tests.web.openid_server import ACCOUNTS, CLIENT, run_openid_server

from towline.contract.identities import IdentityProviderCreate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
NAME = "browsed"


@pytest.fixture
def provider(towline: RunningTowline) -> Iterator[str]:
    """The title of a real provider that Towline knows."""
    with run_openid_server(f"{towline.api_url}/sign-in/with/{NAME}/callback") as server:
        values = {"name": NAME, "kind": "oidc", "title": "Elsewhere Ltd", "issuer": server.issuer, **CLIENT}
        made = towline.client.identity_providers.create(IdentityProviderCreate.model_validate(values))
        assert made.redirect_uri == f"{towline.api_url}/sign-in/with/{NAME}/callback"
        yield made.title
        towline.client.identity_providers.delete(NAME)


def _sign_in_there(page: Page, login: str) -> None:
    page.locator('input[name="login"]').fill(login)
    page.locator('input[name="password"]').fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_an_identity_is_linked_and_then_signs_in(visitor: Visitor, provider: str) -> None:
    page, there = visitor.page, str(ACCOUNTS["eve"]["email"])
    visitor.sign_in("/account/identities")
    page.get_by_role("button", name=f"Link {provider}").click()
    _sign_in_there(page, "eve")
    expect(page.get_by_text(there)).to_be_visible()
    page.get_by_role("button", name="Link it to my account").click()
    expect(page).to_have_url(f"{visitor.url}/account/identities")
    expect(page.get_by_text(there)).to_be_visible()

    visitor.forget_session()
    page.goto(f"{visitor.url}/sign-in?next=/account/identities")
    page.get_by_role("link", name=f"Sign in with {provider}").click()
    _sign_in_there(page, "eve")
    expect(page).to_have_url(f"{visitor.url}/account/identities")
    expect(page.get_by_text(visitor.email)).to_be_visible()
    page.get_by_role("button", name="Unlink").click()
    expect(page.get_by_text("None is linked yet.")).to_be_visible()


def test_a_device_is_approved_after_signing_in(visitor: Visitor, towline: RunningTowline) -> None:
    page = visitor.page
    code = towline.client.device.start("CLI on laptop")
    page.goto(code.verification_uri_complete)
    page.get_by_label("E-mail address").fill(visitor.email)
    page.get_by_label("Password").fill(visitor.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("CLI on laptop")).to_be_visible()
    expect(page.get_by_text(code.user_code)).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("is signed in")).to_be_visible()
    answer = towline.client.device.ask(code.device_code)
    assert (answer.status, answer.user_email) == ("approved", visitor.email)
