"""`just screenshots`: a picture of every page of the dashboard, light and dark, wide and narrow, and what overflows."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright
from tests.e2e.browser.details import serve_repositories
from tests.e2e.browser.gallery import SHUT, add_bare, add_strange, fill
from tests.e2e.browser.measured import write_history
from tests.e2e.browser.people import Account, add_user, sign_in
from tests.e2e.conftest import QUICK
from tests.e2e.parts import BASE, build_base, docker
from tests.running import RunningTowline, running_towline

from towline.contract.members import InvitationCreate, MemberAdd

_WIDTHS: Final = (1280, 390)
_SCHEMES: Final = ("light", "dark")
Sight = tuple[Mapping[str, str], Account | None]
"""Pages by name, and who sees them."""

_SAID: Final = "Everything that the shop sells"
_OF_VIEWERS: Final = frozenset(
    {"home", "project", "service", "service-settings", "service-variables", "hooks", "previews"}
)
_PAGES_ELSEWHERE: Final = {name: f"/_towline/pages/{name}" for name in ("404", "503", "maintenance", "waking")}
_PAINT: Final = "for (const line of document.querySelectorAll('.log li')) line.style.contentVisibility = 'visible'"
"""Lines of logs are painted where they come into view, which is not where a picture of a whole page looks."""

_OVERFLOW: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def main() -> None:
    """Write the pictures into the folder given, or into `screenshots`."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    build_base(Path(tempfile.mkdtemp()))
    try:
        with running_towline(**QUICK) as towline, serve_repositories() as platform:
            owner = add_user(towline, "ann@example.com", is_administrator=True)
            viewer = add_user(towline, "kim@example.com")
            first = [({"first": "/"}, owner), ({"nobody": "/"}, viewer)]
            _photograph(towline, first, folder)
            sights = _furnish(towline, platform, owner, viewer)
            asyncio.run(write_history(towline.folder))
            _photograph(towline, sights, folder)
    finally:
        docker("image", "rm", "--force", BASE)


def _furnish(towline: RunningTowline, platform: str, owner: Account, viewer: Account) -> Sequence[Sight]:
    """Projects full, bare and of strange words; the pages of each, and as seen by whom."""
    pages = fill(towline, "shop", platform, _SAID)
    others = add_bare(towline, "bare") | add_strange(towline, "strange")
    towline.client.members.add("shop", MemberAdd(user=viewer.email, role="viewer"))
    invited = InvitationCreate(email="lee@example.com", project="shop", role="developer")
    link = towline.client.invitations.create(invited).link
    seen = {f"viewer-{name}": path for name, path in pages.items() if name in _OF_VIEWERS}
    shut = SHUT | _PAGES_ELSEWHERE | ({"invitation": link.removeprefix(towline.api_url)} if link else {})
    return [(pages | others, owner), (seen, viewer), (shut, None)]


def _photograph(towline: RunningTowline, sights: Sequence[Sight], folder: Path) -> None:
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        for pages, person in sights:
            state = _sign_in(browser, towline, person) if person else None
            for width, scheme in product(_WIDTHS, _SCHEMES):
                kept: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
                context = browser.new_context(**kept, storage_state=state)
                _walk(context.new_page(), towline.api_url, pages, folder / f"{{}}-{scheme}-{width}.png")
                context.close()
        browser.close()


def _sign_in(browser: Browser, towline: RunningTowline, person: Account) -> Any:
    """What a browser keeps in which somebody has signed in."""
    context = browser.new_context()
    sign_in(context.new_page(), towline.api_url, person)
    state = context.storage_state()
    context.close()
    return state


def _walk(page: Page, url: str, pages: Mapping[str, str], target: Path) -> None:
    for name, path in pages.items():
        page.goto(url + path, wait_until="load")
        _take(page, str(target).format(name))
        if name == "project":
            _take_open(page, target)


def _take_open(page: Page, target: Path) -> None:
    """What is folded away: the menus, and the palette where there is a button for it."""
    for name in ("switcher", "account"):
        page.locator(f"#{name} > summary").click()
        _take(page, str(target).format(f"menu-{name}"), is_whole=False)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.locator(".palette input").fill("log")
    page.locator(".palette li").first.wait_for()
    _take(page, str(target).format("palette"), is_whole=False)
    page.keyboard.press("Escape")


def _take(page: Page, path: str, *, is_whole: bool = True) -> None:
    page.evaluate(_PAINT)
    page.screenshot(path=path, full_page=is_whole)
    if (over := page.evaluate(_OVERFLOW)) > 0:
        print(f"{Path(path).name} is {over} px too wide")


if __name__ == "__main__":
    main()
