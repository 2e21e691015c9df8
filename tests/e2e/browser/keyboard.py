"""A person who has no mouse: everything is reached by Tab or the palette, and pressed by Enter."""

from typing import Final

from playwright.sync_api import Locator, Page, expect

_MOST_TABS: Final = 150
_IS_FOCUSED: Final = "element => element === document.activeElement"
_IS_SEEN: Final = """element => {
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
}"""


def go(page: Page, words: str, path: str) -> None:
    """Open a page by the palette: by its name, then Enter."""
    expect(page.get_by_role("button", name="Go to")).to_be_visible()  # by the script that listens for the keys
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Go to a project, service or page")).to_be_focused()
    page.keyboard.type(words)
    expect(page.locator(f'#palette-list [aria-selected="true"][data-href="{path}"]')).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{path}")


def type_into(page: Page, field: Locator, text: str) -> None:
    """Fill a field in."""
    reach(page, field)
    page.keyboard.type(text)


def press(page: Page, control: Locator, key: str = "Enter") -> None:
    """Press a button or follow a link."""
    reach(page, control)
    page.keyboard.press(key)


def reach(page: Page, target: Locator) -> None:
    """Come to a control by Tab, and see that it has the focus; fails when it cannot be had so."""
    expect(target).to_be_visible()
    for _ in range(_MOST_TABS):
        if target.evaluate(_IS_FOCUSED):
            assert target.evaluate(_IS_SEEN), f"{target} does not show that it has the focus"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by Tab")
