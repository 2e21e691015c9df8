"""Requests at a former address of Towline: pages lead to the present one, everything else is answered as ever."""

from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from towline.actions.former_hosts import note_use
from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.contract.base import API_PREFIX

_NEVER_PAGES: Final = (f"{API_PREFIX}/", "/_towline/")
_FOR_PROGRAMS: Final = (f"{API_PREFIX}/", "/hooks/", "/git/")


class FormerAddresses:
    """Sends who opens a page at a former address on to the present one, and notes what programs do there.

    Not for good (307): browsers would keep to it even after the domain was set back.
    """

    def __init__(self, app: ASGIApp, *, platform: Platform) -> None:
        self._app = app
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        host = _host_of(scope)
        if host == self._platform.settings.effective_platform_host or not self._platform.former_hosts.has(host):
            return await self._app(scope, receive, send)
        if _opens_page(scope):
            return await self._send_on(scope)(scope, receive, send)
        return await self._app(scope, receive, self._noting(scope, host, send))

    def _send_on(self, scope: Scope) -> RedirectResponse:
        query: bytes = scope["query_string"]
        url = f"{platform_url(self._platform)}{_path_of(scope)}" + (f"?{query.decode('latin-1')}" if query else "")
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return RedirectResponse(url, status_code=307, headers=headers)

    def _noting(self, scope: Scope, host: str, send: Send) -> Send:
        is_for_programs = scope["path"].startswith(_FOR_PROGRAMS)

        async def send_noted(message: Message) -> None:
            if is_for_programs and _lets_in(message):
                await note_use(self._platform, host)
            await send(message)

        return send_noted


def _lets_in(message: Message) -> bool:
    """Whether an answer is what was asked for: what strangers try is no use of an address."""
    is_answer = message["type"] == "http.response.start" and message["status"] < 400
    return is_answer or message["type"] == "websocket.accept"


def _opens_page(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or scope["path"].startswith(_NEVER_PAGES):
        return False
    return "text/html" in Headers(scope=scope).get("accept", "")


def _path_of(scope: Scope) -> str:
    """The path as it was sent; the first page's where it could be read as part of a host."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw.decode("latin-1") if raw.startswith(b"/") else "/"


def _host_of(scope: Scope) -> str:
    if scope["type"] not in {"http", "websocket"}:
        return ""
    try:
        return (urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname or "").rstrip(".")
    except ValueError:
        return ""
