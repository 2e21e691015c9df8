"""A real Chromium with an authenticator of its own, and someone to sign in."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.running import RunningTowline

from towline.client.connection import Call
from towline.contract.members import InvitationAccept, InvitationAccepted, InvitationCreate, NewInvitation

_CHROMIUM = "/usr/bin/chromium"
_PATIENCE_MILLISECONDS = 30_000
_LAPTOP = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@dataclass
class Visitor:
    """One person at one browser; `authenticator` is the browser's built-in one, as on a laptop."""

    page: Page
    devtools: Any
    authenticator: str
    url: str
    email: str
    password: str

    def sign_in(self, next_path: str = "") -> None:
        """Fill in the form of the sign-in page."""
        self.page.goto(f"{self.url}/sign-in?next={next_path}")
        self.page.get_by_label("E-mail address").fill(self.email)
        self.page.get_by_label("Password").fill(self.password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()

    def forget_session(self) -> None:
        """Come back another day: the browser keeps its passkeys, but nothing else."""
        self.page.context.clear_cookies()

    def credentials(self) -> list[dict[str, Any]]:
        """The passkeys that the authenticator holds."""
        found = self.devtools.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})
        return list(found["credentials"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The distribution's Chromium, without a window.

    Of one module, not of the session: while Playwright runs, no test that is a coroutine can run in this process.
    """
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that was never here before."""
    context = browser.new_context()
    context.set_default_timeout(_PATIENCE_MILLISECONDS)
    expect.set_options(timeout=_PATIENCE_MILLISECONDS)
    yield context
    context.close()


@pytest.fixture
def visitor(context: BrowserContext, towline: RunningTowline) -> Visitor:
    """A new user with a password and no second factor, at a browser that can keep passkeys."""
    email, password = f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(24)
    connection = towline.client.connection
    invited = connection.send(Call("invitations.create", body=InvitationCreate(email=email)), NewInvitation)
    assert invited.link is not None
    accepted = InvitationAccept(token=invited.link.rpartition("/")[2], name="Ann", password=password)
    connection.send(Call("invitations.accept", body=accepted), InvitationAccepted)
    page = context.new_page()
    devtools: Any = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": _LAPTOP})
    return Visitor(page, devtools, made["authenticatorId"], towline.api_url, email, password)
