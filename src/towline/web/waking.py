"""HTTP: requests to apps that sleep; pages wait in the browser, all else is held until the app is there."""

import asyncio
import hmac
from collections.abc import AsyncGenerator, Iterable
from datetime import timedelta
from typing import Final

import aiohttp
from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from yarl import URL

from towline.actions.sleeping.arriving import Arrivals, Place
from towline.errors import NotFound, TowlineError, Unavailable
from towline.web.deps import get_platform
from towline.web.operations import OperationRouter
from towline.web.pages import page_elsewhere, waking_page
from towline.web.problems import problem_response

router = OperationRouter()
PREFIX: Final = "/_towline/waking/"
_KEY_HEADER: Final = "x-towline-door-key"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_RETRY: Final = {"Retry-After": "5"}
# RFC 9110, section 7.6.1, and what only the proxies between knew. What was expected is met by Towline already: an app
# that does not know of it would be waited for while it waits for the body.
_HOP_BY_HOP: Final = frozenset(
    {"connection", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=2, sock_read=300)
_CHUNK: Final = 64 * 1024
_PAUSE_SECONDS: Final = 0.1


class Waker:
    """What the process needs to pass requests on; opened with the application and closed with it."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals = arrivals
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Connections to instances, none of which is kept."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=_TIMEOUT,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
        return self._session

    async def close(self) -> None:
        """Drop every connection."""
        await self.arrivals.close()
        if self._session is not None:
            await self._session.close()


async def wake(request: Request) -> Response:
    """Wake the app that a request is for, and pass the request on as soon as that can take it."""
    if not _is_from_traefik(request):
        return problem_response(NotFound("There is nothing at this address."))
    waker: Waker = request.app.state.waker
    try:
        place = await waker.arrivals.find_place(request.path_params["key"])
        if place is None:
            return page_elsewhere(
                request, NotFound("No app answers at this address."), title="Nothing is here", headers={}
            )
        await waker.arrivals.ask_for(place)
        if _is_page(request) and not await waker.arrivals.find_server(place):
            return waking_page(request)
        return await _pass_on(request, waker, place)
    except TowlineError as error:
        return problem_response(error, headers=_RETRY)


async def refuse_socket(socket: WebSocket) -> None:
    """Wake the app, and let the visitor's script open the socket anew: it tries again by itself where it has to."""
    if _is_from_traefik(socket):
        arrivals: Arrivals = socket.app.state.waker.arrivals
        place = await arrivals.find_place(socket.path_params["key"])
        if place is not None:
            await arrivals.ask_for(place)
    await socket.close()


def _is_from_traefik(connection: Request | WebSocket) -> bool:
    wanted = connection.app.state.platform.settings.door_key
    return bool(wanted) and hmac.compare_digest(connection.headers.get(_KEY_HEADER, "").encode(), wanted.encode())


def _is_page(request: Request) -> bool:
    """Whether a person looks at it: a browser says so itself (Fetch metadata), or asks for HTML."""
    if request.method != "GET":
        return False
    mode = request.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("accept", "")


async def _pass_on(request: Request, waker: Waker, place: Place) -> Response:
    """The app's own answer. A request is sent again only where no connection came about, so it is carried out once."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + get_platform(request).settings.wake_hold.total_seconds()
    while (left := ends_at - loop.time()) > 0:
        server = await waker.arrivals.wait_for_server(place, limit=timedelta(seconds=left))
        if not server:
            break
        try:
            return await _send(request, waker.session, server)
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(_PAUSE_SECONDS)
        except (aiohttp.ClientError, TimeoutError):
            return problem_response(Unavailable("The app broke off the connection."), headers=_RETRY)
    return problem_response(
        Unavailable("The app at this address is being started, which takes longer than requests are held."),
        headers=_RETRY,
    )


async def _send(request: Request, session: aiohttp.ClientSession, server: str) -> Response:
    answer = await session.request(
        request.method,
        _target(request, server),
        headers=_passed(request.headers.raw, without={_KEY_HEADER}),
        data=request.stream() if _has_body(request) else None,
        allow_redirects=False,
    )
    response = StreamingResponse(_read(answer), status_code=answer.status)
    response.raw_headers = [(name.lower(), value) for name, value in _kept(answer.raw_headers)]
    return response


def _target(request: Request, server: str) -> URL:
    """The path byte for byte as the visitor sent it."""
    prefix = f"{PREFIX}{request.path_params['key']}"
    raw: bytes = request.scope["raw_path"]
    path = raw.decode("ascii", "replace").removeprefix(prefix) or "/"
    query = request.scope["query_string"].decode("ascii", "replace")
    return URL(f"{server}{path}?{query}" if query else f"{server}{path}", encoded=True)


def _passed(headers: Iterable[tuple[bytes, bytes]], *, without: set[str]) -> list[tuple[str, str]]:
    kept = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in _kept(headers)]
    return [(name, value) for name, value in kept if name.lower() not in without]


def _kept(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.decode("latin-1").lower() not in _HOP_BY_HOP]


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


async def _read(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    async with answer:
        async for chunk in answer.content.iter_chunked(_CHUNK):
            yield chunk


router.routes.append(Route(f"{PREFIX}{{key}}/{{path:path}}", wake, methods=list(_METHODS), name="waking"))
router.routes.append(WebSocketRoute(f"{PREFIX}{{key}}/{{path:path}}", refuse_socket, name="waking-socket"))
