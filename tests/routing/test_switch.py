"""No request fails when routes move from one instance to another."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
from tests.routing.servers import RunningTraefik, backend, get, wait_until

from towline.routing.traefik.router import TraefikRouter
from towline.values import Route

SOON = timedelta(seconds=5)


def a_route(*servers: str) -> Route:
    """The route under load."""
    return Route(key="shop", host="shop.example.com", servers=servers, certificate="none")


@dataclass
class Load:
    """What the visitors saw: which backend answered each request, and everything else as a failure."""

    answered: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])


@asynccontextmanager
async def load(url: str, *, visitors: int = 8) -> AsyncGenerator[Load]:
    """Visitors with kept and with new connections, GET and POST, until the block is left."""
    seen, is_over = Load(), asyncio.Event()

    async def visit(*, keeps: bool, posts: bool) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=not keeps)) as session:
            while not is_over.is_set():
                await _request(session, url, seen=seen, posts=posts)
                await asyncio.sleep(0.003)

    async with asyncio.TaskGroup() as group:
        for number in range(visitors):
            group.create_task(visit(keeps=number % 2 == 0, posts=number % 4 < 2))
        yield seen
        is_over.set()


async def _request(session: aiohttp.ClientSession, url: str, *, seen: Load, posts: bool) -> None:
    try:
        async with session.request(
            "POST" if posts else "GET", url, data=b"x" * 5000 if posts else None, headers={"Host": "shop.example.com"}
        ) as response:
            text = await response.text()
            (seen.answered if response.status == 200 else seen.failed).append(text.split()[0])
    except (aiohttp.ClientError, TimeoutError) as error:
        seen.failed.append(repr(error))


async def publish(router: TraefikRouter, *servers: str) -> None:
    """Point the route at these servers and wait until it is so."""
    await router.publish("env_1", [a_route(*servers)])
    await router.wait_until_confirmed("env_1", [a_route(*servers)], timeout=SOON)


async def wait_until_idle(router: TraefikRouter, server: str) -> None:
    """Drain: wait until nothing is open to a server any more."""

    async def is_idle() -> bool:
        return not (await router.get_open_requests("env_1", servers=[server]))[server]

    await wait_until(is_idle, seconds=5)


async def test_switching_under_load_fails_no_request(traefik: RunningTraefik, router: TraefikRouter) -> None:
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(backend("v0", host="127.0.0.2"))
        await publish(router, old.url)
        async with load(traefik.url()) as seen:
            for number in range(1, 4):
                async with AsyncExitStack() as retiring:
                    retiring.push_async_exit(stack.pop_all())
                    new = await stack.enter_async_context(backend(f"v{number}", host=f"127.0.0.{2 + number % 2}"))
                    await publish(router, new.url)
                    await wait_until_idle(router, old.url)
                    await wait_until(lambda name=new.name: _has_answered(seen, name, times=80))
                old = new
    assert seen.failed == []
    assert set(seen.answered) == {"v0", "v1", "v2", "v3"}


async def test_scaling_out_and_in_under_load_fails_no_request(traefik: RunningTraefik, router: TraefikRouter) -> None:
    async with backend("one", host="127.0.0.2") as one:
        await publish(router, one.url)
        async with (
            load(traefik.url()) as seen,
            backend("two", host="127.0.0.3") as two,
            backend("three", host="127.0.0.4") as three,
        ):
            await publish(router, one.url, two.url, three.url)
            await wait_until(lambda: _has(seen, {"one", "two", "three"}))
            await publish(router, one.url)
            await wait_until_idle(router, two.url)
            await wait_until_idle(router, three.url)
    assert seen.failed == []


async def test_a_server_that_vanished_costs_no_request_while_another_answers(
    traefik: RunningTraefik, router: TraefikRouter
) -> None:
    # 127.0.0.9:9 refuses; the retry goes to the next server of the service, also for a POST, of which nothing was sent.
    async with backend("alive", host="127.0.0.2") as alive:
        await publish(router, "http://127.0.0.9:9", alive.url)
        answers = [
            await get(traefik.url(), "shop.example.com", method=method, body=b"x" * 100 if method == "POST" else None)
            for method in ("GET", "POST") * 5
        ]
        assert {answer[0] for answer in answers} == {200}
        assert len(alive.requests) == 10


async def test_an_address_that_swallows_connections_costs_a_quarter_of_a_second(
    traefik: RunningTraefik, router: TraefikRouter
) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.6", 0), backlog=0))
        for _ in range(4):  # A full backlog: the kernel drops every further attempt, as a vanished container does.
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        async with backend("alive", host="127.0.0.2") as alive:
            await publish(router, f"http://127.0.0.6:{listener.getsockname()[1]}", alive.url)
            started = time.monotonic()
            answers = [await get(traefik.url(), "shop.example.com") for _ in range(2)]
            assert [answer[0] for answer in answers] == [200, 200]
            assert 0.2 < time.monotonic() - started < 2


async def test_a_post_that_reached_a_server_is_never_sent_twice(traefik: RunningTraefik, router: TraefikRouter) -> None:
    received: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(10_000))
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.5", 0)
    async with server:
        await publish(router, f"http://127.0.0.5:{server.sockets[0].getsockname()[1]}")
        status, _, _ = await get(traefik.url(), "shop.example.com", method="POST", body=b"pay once")
    assert status == 502
    assert len(received) == 1


async def test_an_open_websocket_survives_the_switch(traefik: RunningTraefik, router: TraefikRouter) -> None:
    async with backend("old", host="127.0.0.2") as old, backend("new", host="127.0.0.3") as new:
        await publish(router, old.url)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(traefik.url("/ws"), headers={"Host": "shop.example.com"}) as socket,
        ):
            await socket.send_str("before")
            assert await socket.receive_str(timeout=5) == "old before"
            await publish(router, new.url)
            await socket.send_str("after")
            assert await socket.receive_str(timeout=5) == "old after"
            assert (await router.get_open_requests("env_1", servers=[old.url]))[old.url] == 1


async def test_open_requests_are_counted_until_they_end(traefik: RunningTraefik, router: TraefikRouter) -> None:
    async with backend("old", host="127.0.0.2") as old, backend("new", host="127.0.0.3") as new:
        await publish(router, old.url)
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(get(traefik.url("/slow"), "shop.example.com"))
            await wait_until(lambda: _is_requested(old.requests))
            await publish(router, new.url)
            found = await router.get_open_requests("env_1", servers=[old.url])
            assert found == {new.url: 0, old.url: 1}
            old.gate.set()
        assert slow.result()[1].startswith("old GET /slow")
        await wait_until_idle(router, old.url)


async def _has(seen: Load, wanted: set[str]) -> bool:
    return wanted <= set(seen.answered)


async def _has_answered(seen: Load, name: str, *, times: int) -> bool:
    return seen.answered.count(name) >= times


async def _is_requested(requests: list[str]) -> bool:
    return "GET /slow" in requests
