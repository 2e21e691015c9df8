"""How a real Traefik sends requests through Towline: the waker, the gate, and the count of requests."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from aiohttp import web
from tests.routing.servers import Backend, RunningTraefik, get

from towline.routing.traefik.router import TraefikRouter
from towline.values import Middlewares, Route

HOST = "doors.example.com"
SOON = timedelta(seconds=5)


@dataclass
class Towline:
    """What stands at the doors: a gate that lets `pass=ok` through, and a waker that says what it was asked."""

    gate_asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    woken: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    async def ask(self, request: web.Request) -> web.Response:
        """The gate."""
        self.gate_asked.append({**{key.lower(): value for key, value in request.headers.items()}, "path": request.path})
        if "pass=ok" not in request.headers.get("Cookie", ""):
            return web.Response(status=303, headers={"Location": "http://elsewhere.example.com/"})
        return web.Response(headers={"Cookie": "own=1"} if "own=1" in request.headers["Cookie"] else {})

    async def wake(self, request: web.Request) -> web.Response:
        """The waker."""
        self.woken.append({key.lower(): value for key, value in request.headers.items()})
        return web.Response(text=f"{request.method} {request.raw_path} {len(await request.read())}")


@pytest.fixture
async def towline(traefik: RunningTraefik) -> AsyncGenerator[Towline]:
    """Towline's API, as far as Traefik needs it."""
    found = Towline()
    app = web.Application()
    app.router.add_get("/_towline/gates/{owner}", found.ask)
    app.router.add_route("*", "/_towline/waking/{path:.*}", found.wake)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", traefik.platform_port).start()
    yield found
    await runner.cleanup()


async def _publish(router: TraefikRouter, route: Route) -> None:
    await router.publish("env_doors", [route])
    await router.wait_until_confirmed("env_doors", [route], timeout=SOON)


def _route(*servers: str) -> Route:
    return Route(key="doors", host=HOST, servers=servers, certificate="none")


async def test_a_request_to_what_sleeps_reaches_the_waker_whole(
    traefik: RunningTraefik, router: TraefikRouter, towline: Towline, backends: tuple[Backend, Backend]
) -> None:
    asleep = replace(_route(), absence="waking", middlewares=Middlewares(strip_prefix=True), path_prefix="/a")
    await _publish(router, asleep)
    url = traefik.url("/a/b%20c/%2F?x=%20y")
    forged = {"X-Towline-Door-Key": "forged"}
    status, text, _ = await get(url, HOST, method="POST", body=b"12345", headers=forged)
    assert (status, text) == (200, "POST /_towline/waking/doors/b%20c/%2F?x=%20y 5")
    asked = towline.woken[0]
    assert (asked["x-towline-door-key"], asked["host"]) == ("a-door-key-of-tests", HOST)
    await _publish(router, replace(asleep, servers=(backends[0].url,)))
    assert (await get(traefik.url("/a"), HOST))[1] == "old GET / 0"
    assert "x-towline-door-key" not in backends[0].headers[-1]


async def test_nothing_passes_a_gate_but_what_it_lets_through(
    traefik: RunningTraefik, router: TraefikRouter, towline: Towline, backends: tuple[Backend, Backend]
) -> None:
    app = backends[0]
    await _publish(router, replace(_route(app.url), is_guarded=True))
    status, _, headers = await get(traefik.url("/page?x=1"), HOST, headers={"X-Forwarded-Uri": "/forged"})
    assert (status, headers["location"], app.requests) == (303, "http://elsewhere.example.com/", [])
    asked = towline.gate_asked[0]
    assert (asked["path"], asked["x-forwarded-uri"]) == ("/_towline/gates/env_doors", "/page?x=1")
    assert (asked["x-forwarded-host"], asked["x-forwarded-method"]) == (HOST, "GET")
    for cookies, passed in (("pass=ok; own=1", "own=1"), ("pass=ok", None)):
        assert (await get(traefik.url("/page"), HOST, headers={"Cookie": cookies}))[0] == 200
        assert app.headers[-1].get("cookie") == passed


async def test_a_gate_stays_shut_while_towline_does_not_answer(
    traefik: RunningTraefik, router: TraefikRouter, backends: tuple[Backend, Backend]
) -> None:
    await _publish(router, replace(_route(backends[0].url), is_guarded=True))
    status, _, _ = await get(traefik.url(), HOST, headers={"Cookie": "pass=ok"})
    assert (status, backends[0].requests) == (500, [])
