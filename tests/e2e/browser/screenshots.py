"""`just screenshots`: a picture of every page of the dashboard, light and dark, wide and narrow, and what overflows."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from tests.e2e.browser.gallery import fill
from tests.e2e.browser.people import add_user, sign_in
from tests.e2e.conftest import QUICK
from tests.e2e.parts import BASE, build_base, docker
from tests.running import RunningTowline, running_towline

_WIDTHS = (1280, 390)
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def main() -> None:
    """Write the pictures into the folder given, or into `screenshots`."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    build_base(Path(tempfile.mkdtemp()))
    try:
        with running_towline(**QUICK) as towline, sync_playwright() as playwright:
            options = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
            _photograph_all(browser, towline, folder)
            browser.close()
    finally:
        docker("image", "rm", "--force", BASE)


def _photograph_all(browser: Browser, towline: RunningTowline, folder: Path) -> None:
    person = add_user(towline, is_administrator=True)
    start = browser.new_context()
    sign_in(start.new_page(), towline.api_url, person)
    _photograph(start.pages[0], towline.api_url, {"empty": "/"}, folder / "{}-light-1280.png")
    state: Any = start.storage_state()
    pages = fill(towline, "shop")
    for width in _WIDTHS:
        for scheme in ("light", "dark"):
            kept: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
            context = browser.new_context(**kept, storage_state=state)
            _photograph(context.new_page(), towline.api_url, pages, folder / f"{{}}-{scheme}-{width}.png")
            away = browser.new_context(**kept)
            shut = {"front": "/", "sign-in": "/sign-in", "password-reset": "/password-reset"}
            _photograph(away.new_page(), towline.api_url, shut, folder / f"{{}}-{scheme}-{width}.png")


def _photograph(page: Any, url: str, pages: dict[str, str], target: Path) -> None:
    for name, path in pages.items():
        page.goto(url + path, wait_until="load")
        page.screenshot(path=str(target).format(name), full_page=True)
        if (over := page.evaluate(_OVERFLOW)) > 0:
            print(f"{target.name.format(name)} is {over} px too wide")


if __name__ == "__main__":
    main()
