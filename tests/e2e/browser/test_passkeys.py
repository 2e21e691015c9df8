"""Passkeys and one-time codes in a real browser: set up on the page, and used to sign in."""

import pytest
from playwright.sync_api import expect
from pyotp.totp import TOTP
from tests.e2e.browser.conftest import Visitor

from towline.models.base import utc_now

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def add_passkey(visitor: Visitor, name: str) -> list[str]:
    """Add a passkey on the page; the recovery codes it shows."""
    page = visitor.page
    page.get_by_label("Name of a new passkey").fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    codes = keep_codes(visitor)
    expect(page.get_by_label(f"Name of the passkey {name}")).to_have_value(name)
    return codes


def keep_codes(visitor: Visitor) -> list[str]:
    """The recovery codes that the page shows once."""
    expect(visitor.page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    codes = visitor.page.locator("[data-codes] pre").inner_text().split()
    visitor.page.get_by_role("button", name="I have kept them").click()
    return codes


def test_a_passkey_is_registered_asked_for_after_the_password_and_signs_in_alone(visitor: Visitor) -> None:
    page, faults = visitor.page, list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    visitor.sign_in("/account/security")
    expect(page).to_have_url(f"{visitor.url}/account/security")
    codes = add_passkey(visitor, "Laptop")
    assert len(codes) == 10
    [kept] = visitor.credentials()
    assert (kept["isResidentCredential"], kept["rpId"]) == (True, visitor.url.partition("//")[2].partition(":")[0])

    visitor.forget_session()
    visitor.sign_in("/account/security")
    expect(page.get_by_text("One more step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{visitor.url}/account/security")
    expect(page.get_by_text(visitor.email)).to_be_visible()

    visitor.forget_session()
    page.goto(f"{visitor.url}/sign-in?next=/account/security")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(f"{visitor.url}/account/security")
    expect(page.locator("#passkeys-part td").filter(has_text="ago")).to_have_count(2)
    assert visitor.credentials()[0]["signCount"] > kept["signCount"]

    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    assert faults == []


def test_a_browser_without_the_right_passkey_is_told_so(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}/sign-in")
    visitor.devtools.send(
        "WebAuthn.setUserVerified", {"authenticatorId": visitor.authenticator, "isUserVerified": False}
    )
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("[data-problem]")).to_contain_text("not given a passkey")


def test_one_time_codes_are_set_up_and_asked_for(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("/account/security")
    expect(page.get_by_role("button", name="Add a passkey")).to_be_visible()  # the page's script has come by then
    page.get_by_role("button", name="Set up an authenticator app").click()
    expect(page.get_by_alt_text("QR code for the authenticator app")).to_be_visible()
    assert page.evaluate("document.querySelector('[data-totp-setup] img').decode().then(() => true)")
    totp = TOTP(page.locator("[data-secret]").inner_text().replace(" ", ""))
    page.get_by_label("Code the app shows").fill(totp.at(utc_now()))
    page.get_by_role("button", name="Turn on").click()
    codes = keep_codes(visitor)
    expect(page.get_by_text("One-time codes are on since")).to_be_visible()

    visitor.forget_session()
    visitor.sign_in("/account/security")
    page.get_by_label("Code of your authenticator app").fill(totp.at(utc_now(), counter_offset=1))
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_url(f"{visitor.url}/account/security")

    visitor.forget_session()
    visitor.sign_in("/account/security")
    page.get_by_label("Or a recovery code").fill(codes[0])
    page.get_by_role("button", name="Use it up").click()
    expect(page.get_by_text("9 not used yet")).to_be_visible()
    page.get_by_role("button", name="Turn them off").click()
    expect(page.get_by_role("button", name="Set up an authenticator app")).to_be_visible()
