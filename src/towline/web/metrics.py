"""HTTP: figures for Prometheus, and the middleware that counts requests."""

import ipaddress
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from towline import __version__
from towline.actions.access import Permission, check
from towline.actions.installation import Figures, get_figures
from towline.errors import TowlineError
from towline.web.addresses import client_address
from towline.web.auth import authenticate
from towline.web.deps import get_platform
from towline.web.operations import OperationRouter
from towline.web.problems import problem_response

router = OperationRouter()
MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds of the classes that response times are counted in."""

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


@dataclass
class RequestCounts:
    """Requests of one process: how many by operation and status, and how long until the answer began."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    classes: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def add(self, operation: str, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests[operation, status] += 1
        self.seconds[operation] = self.seconds.get(operation, 0.0) + seconds
        counts = self.classes.setdefault(operation, [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, seconds)] += 1


class CountRequests:
    """Counts every request by the name of its route."""

    def __init__(self, app: ASGIApp, *, counts: RequestCounts, routes: list[BaseRoute]) -> None:
        self._app = app
        self._counts = counts
        self._names: dict[object, str] = {route.endpoint: route.name for route in routes if isinstance(route, Route)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                name = self._names.get(scope.get("endpoint"), "other")
                self._counts.add(name, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, send_counted)


async def get_metrics(request: Request) -> Response:
    """The figures, for administrators and for programs of this machine."""
    try:
        if not is_local(request):
            check((await authenticate(request)).caller, Permission.ADMINISTER, role=None)
        figures = await get_figures(get_platform(request))
    except TowlineError as error:
        return problem_response(error)
    state = request.app.state
    text = "\n".join(render(figures, state.request_counts, listeners=state.live.listener_count)) + "\n"
    return Response(text, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})


def is_local(connection: HTTPConnection) -> bool:
    """Whether a program of this machine calls, and not somebody through a proxy on it."""
    try:
        address = ipaddress.ip_address(client_address(connection))
    except ValueError:
        return False
    return address.is_loopback and not any(name in connection.headers for name in _FORWARDED)


def render(figures: Figures, counts: RequestCounts, *, listeners: int) -> Iterator[str]:
    """Lines in Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/."""
    yield from _gauge("towline_info", "Version of Towline.", {f'version="{__version__}"': 1})
    queued = figures.open_deployments["queued"]
    yield from _gauge("towline_queue_depth", "Deployments that wait for a worker.", {"": queued})
    yield from _gauge(
        "towline_deployments_open", "Deployments that are not final.", _by_status(figures.open_deployments)
    )
    ended = _by_status(figures.ended_last_day)
    yield from _gauge("towline_deployments_last_day", "Deployments of the last 24 hours that are final.", ended)
    lag = figures.relay_lag.total_seconds()
    yield from _gauge("towline_event_relay_lag_seconds", "Age of the oldest event not published.", {"": lag})
    yield from _gauge("towline_websockets_open", "WebSockets of this process.", {"": listeners})
    yield from _counter(counts)
    yield from _histogram(counts)


def _by_status(counts: Mapping[str, int]) -> dict[str, float]:
    return {f'status="{status}"': count for status, count in sorted(counts.items())}


def _gauge(name: str, description: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {description}"
    yield f"# TYPE {name} gauge"
    for labels, value in values.items():
        yield f"{name}{{{labels}}} {value:g}" if labels else f"{name} {value:g}"


def _counter(counts: RequestCounts) -> Iterator[str]:
    name = "towline_http_requests_total"
    yield f"# HELP {name} Requests answered by this process."
    yield f"# TYPE {name} counter"
    for (operation, status), count in sorted(counts.requests.items()):
        yield f'{name}{{operation="{operation}",status="{status}"}} {count}'


def _histogram(counts: RequestCounts) -> Iterator[str]:
    name = "towline_http_request_seconds"
    yield f"# HELP {name} Time until the answer began."
    yield f"# TYPE {name} histogram"
    for operation, classes in sorted(counts.classes.items()):
        total = 0
        for bound, count in zip((*(f"{bucket:g}" for bucket in BUCKETS), "+Inf"), classes, strict=True):
            total += count
            yield f'{name}_bucket{{operation="{operation}",le="{bound}"}} {total}'
        yield f'{name}_sum{{operation="{operation}"}} {counts.seconds[operation]:.6f}'
        yield f'{name}_count{{operation="{operation}"}} {total}'


router.routes.append(Route("/metrics", get_metrics, methods=["GET"], name="metrics"))
