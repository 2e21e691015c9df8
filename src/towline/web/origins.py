"""Cross-site requests: what a page of another origin may have sent is refused, by the browser's own account."""

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from towline.errors import Forbidden

_SAFE_METHODS: Final = {"GET", "HEAD", "OPTIONS"}
_OWN_SITES: Final = {"same-origin", "none"}


def is_unsafe(connection: HTTPConnection) -> bool:
    """Whether a call can change something or, as a WebSocket, can listen for long."""
    return connection.scope["type"] == "websocket" or connection.scope["method"] not in _SAFE_METHODS


def check_origin(connection: HTTPConnection, *, is_strict: bool = False) -> None:
    """Return when a call was not made by a page of another origin; Forbidden otherwise.

    `Sec-Fetch-Site` decides; older browsers and plain HTTP send `Origin` alone. Programs send neither, which is refused
    only when `is_strict`: for callers by cookie. See docs/decisions/0008-cookies-count-for-own-pages-only.md.
    """
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None and site in _OWN_SITES:
        return
    if site is None and origin is None and not is_strict:
        return
    if site is None and origin is not None and _is_own(origin, connection):
        return
    raise Forbidden(
        "A page of another address may not do this with your session.",
        hint="Open Towline's own page; programs send `Authorization: Bearer …` instead of a cookie.",
    )


def _is_own(origin: str, connection: HTTPConnection) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower() != ""
    except ValueError:
        return False
