"""A form that was refused to a browser without scripts: its page once more, with what was typed and what is wrong."""

from collections.abc import AsyncGenerator, Mapping
from html import escape
from typing import Final

from fastapi import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Message, Scope

from towline.errors import Conflict, InvalidInput, TowlineError
from towline.web.dashboard.refilled import refill

PAGE_NAMES: Final = ("front", "page ")
_MENDABLE: Final = frozenset({409, 422, 429, 502, 503})
_NOT_OF_A_PAGE: Final = frozenset({b"content-type", b"content-length", b"accept-encoding"})
HINTS_OF_PAGES: Final = {
    InvalidInput.hint: "Correct it, then send the form again.",
    Conflict.hint: "Look at the page as it is now, then decide again.",
    "Send the request again.": "Send the form again.",
    "Name it as `main`.": "Choose the main service.",
    "Set its protection to `link` first.": "Let those who have a share link visit it first, under Settings.",
    "Remove them first: `towline previews delete NAME`.": "Remove them first, on the page Previews.",
    "Give it a port with `towline services update --port`.": "Give it a port on its page Settings.",
    "Make somebody else an administrator first: `towline users administrator EMAIL`.": (
        "Make somebody else an administrator first."
    ),
    "Roll the other services back one by one: `towline rollback SERVICE`.": (
        "Roll the other services back one by one, on their pages."
    ),
    "`towline releases` lists them.": "The page Releases lists them.",
    "`towline releases` lists the kept ones.": "The page Releases lists the kept ones.",
    "`towline group status` lists them.": "The page Deployed together lists them.",
    "`towline group status` lists all of them.": "The page Deployed together lists all of them.",
    "List them with `towline backups`.": "The page Backups lists them.",
    "List them with `towline hooks list`.": "The page Repositories lists them.",
    "List them with `towline providers`.": "The page Sign-in lists them.",
}
"""Next steps in the words of the API and the command line, and what they are on a page."""


def for_pages(error: TowlineError) -> TowlineError:
    """The same error with a next step for somebody at a page."""
    error.hint = HINTS_OF_PAGES.get(error.hint, error.hint)
    return error


async def show_again(request: Request, sender: str, fields: Mapping[str, str], error: TowlineError) -> Response | None:
    """The page at `sender` with its form as it was sent; None where there is no such page, or nothing to mend."""
    page = await _open(request, sender) if sender and error.status in _MENDABLE else None
    if page is None or page.status_code != 200 or page.media_type != "text/html":
        return None
    html = refill(bytes(page.body).decode(), request.url.path, fields, error)
    if html is None:
        return None
    # The address of a form cannot be asked for again, so scripts go by the page's.
    html = html.replace("<body ", f'<body data-here="{escape(sender)}" ', 1)
    kept = {name: value for name, value in page.headers.items() if name not in ("content-length", "content-type")}
    return Response(html.encode(errors="replace"), error.status, headers=kept, media_type="text/html")


async def _open(request: Request, sender: str) -> Response | None:
    """A page of the dashboard, as this browser would see it."""
    path, _, query = sender.partition("?")
    scope: Scope = {
        **request.scope,
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name, value) for name, value in request.scope["headers"] if name not in _NOT_OF_A_PAGE],
    }
    for route in request.app.routes:
        if not isinstance(route, Route) or not route.name.startswith(PAGE_NAMES):
            continue
        match, found = route.matches(scope)
        if match is Match.FULL:
            answer: Response = await route.endpoint(Request({**scope, **found}, _nothing().__anext__))
            return answer
    return None


async def _nothing() -> AsyncGenerator[Message]:
    yield {"type": "http.request", "body": b"", "more_body": False}
    yield {"type": "http.disconnect"}
