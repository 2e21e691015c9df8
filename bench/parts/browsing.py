"""A person signed in at the dashboard with a real Chromium."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, sync_playwright


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in, and where."""

    url: str
    email: str
    password: str

    def sign_in(self, page: Page) -> None:
        """Sign in at the sign-in page, which is open."""
        page.get_by_label("E-mail address").fill(self.email)
        page.get_by_label("Password").fill(self.password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(f"{self.url}/")


@contextmanager
def chromium() -> Generator[Browser]:
    """The distribution's Chromium."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        try:
            yield browser
        finally:
            browser.close()
