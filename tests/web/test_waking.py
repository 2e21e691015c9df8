"""Requests to apps that sleep, as Traefik sends them to Towline."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web
from sqlalchemy import select, update
from tests.stand_ins import World, make_world, stand_in_platform
from tests.web.door import Door, open_door
from tests.web.serving import wait_until

from towline.models.projects import Environment
from towline.models.services import Instance, Route, Workload
from towline.names import new_id

SETTINGS: dict[str, Any] = {"traefik_api_password": "a-random-password-of-tests"}


@dataclass
class App:
    """An app that notes what reaches it."""

    port: int = 0
    seen: list[tuple[str, str, bytes, dict[str, str]]] = field(
        default_factory=list[tuple[str, str, bytes, dict[str, str]]]
    )

    async def answer(self, request: web.Request) -> web.Response:
        """An answer that can be told from every other."""
        headers = {key.lower(): value for key, value in request.headers.items()}
        self.seen.append((request.method, request.raw_path, await request.read(), headers))
        response = web.Response(status=201, text="done")
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2")
        return response


@asynccontextmanager
async def running_app() -> AsyncGenerator[App]:
    """The app on a port of this machine."""
    found, server = App(), web.Application()
    server.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = int(runner.addresses[0][1])
    yield found
    await runner.cleanup()


@dataclass
class Sleeper:
    """A service whose environment sleeps, and the door."""

    world: World
    door: Door
    key: str

    async def send(self, method: str, path: str = "/", **options: Any) -> httpx2.Response:
        """A request as Traefik sends it."""
        headers = {"X-Towline-Door-Key": self.door.platform.settings.door_key, "Host": "shop.example.com"}
        headers |= options.pop("headers", {})
        return await self.door.http.request(method, f"/_towline/waking/{self.key}{path}", headers=headers, **options)

    async def state(self) -> str:
        """Whether the environment sleeps."""
        async with self.world.platform.database.transaction() as work:
            query = select(Environment.sleep).where(Environment.id == self.world.environment.id)
            return (await work.session.scalars(query)).one()

    async def start(self, app: App) -> None:
        """What the conductor does: the workload has an instance again."""
        async with self.world.platform.database.transaction() as work:
            workload = (await work.session.scalars(select(Workload))).one()
            workload.wanted = "running"
            values = {"release_id": "rel_1", "deployment_id": "dep_1", "engine_id": "e", "name": "i"}
            row = Instance(id=new_id("ins"), workload_id=workload.id, address="127.0.0.1", port=app.port, **values)
            row.is_routed = True
            work.session.add(row)


@asynccontextmanager
async def sleeping(folder: Path, postgres_url: str, redis_url: str, **settings: Any) -> AsyncGenerator[Sleeper]:
    """A sleeper of this test's own."""
    values = {**SETTINGS, **settings}
    async with stand_in_platform(folder, postgres_url=postgres_url, redis_url=redis_url, **values) as platform:
        world = await make_world(platform)
        await world.request()
        async with platform.database.transaction() as work:
            await work.session.execute(update(Workload).values(wanted="sleeping"))
            await work.session.execute(update(Environment).values(sleep="asleep"))
            key = (await work.session.scalars(select(Route.id))).one().replace("_", "-")
        async with open_door(platform) as door:
            yield Sleeper(world, door, key)


@pytest.fixture
async def sleeper(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[Sleeper]:
    """A sleeper with the usual settings."""
    async with sleeping(tmp_path, postgres_url, redis_url) as found:
        yield found


async def test_a_page_shows_that_the_app_is_woken_and_asks_again_without_a_script(sleeper: Sleeper) -> None:
    answer = await sleeper.send("GET", "/page?x=1", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["refresh"], answer.headers["retry-after"]) == (503, "2", "2")
    assert answer.headers["cache-control"] == "no-store"
    assert "waking up" in answer.text
    assert "shop" not in answer.text
    assert "<script" not in answer.text
    assert await sleeper.state() == "waking"


async def test_everything_else_is_held_and_carried_out_once(sleeper: Sleeper) -> None:
    async with running_app() as app:
        headers = {"Connection": "close", "X-Own": "1", "Accept": "text/html", "Expect": "100-continue"}
        held = asyncio.create_task(sleeper.send("POST", "/orders/a%2Fb?x=%20y", content=b"12345", headers=headers))

        async def is_waking() -> bool:
            return await sleeper.state() == "waking"

        await wait_until(is_waking)
        assert app.seen == []
        await sleeper.start(app)
        answer = await held
        assert (answer.status_code, answer.text) == (201, "done")
        assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert "x-content-type-options" not in answer.headers
        [(method, path, body, passed)] = app.seen
    assert (method, path, body) == ("POST", "/orders/a%2Fb?x=%20y", b"12345")
    assert (passed["host"], passed["x-own"]) == ("shop.example.com", "1")
    assert not {"x-towline-door-key", "expect"} & passed.keys()


async def test_an_app_that_is_there_already_gets_pages_too(sleeper: Sleeper) -> None:
    async with running_app() as app:
        await sleeper.start(app)
        answer = await sleeper.send("GET", headers={"Accept": "text/html"})
        assert (answer.status_code, answer.text) == (201, "done")


async def test_a_request_is_not_held_for_ever(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    async with sleeping(tmp_path, postgres_url, redis_url, wake_hold=timedelta(milliseconds=50)) as sleeper:
        answer = await sleeper.send("POST")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) > 0
        assert await sleeper.state() == "waking"


async def test_an_app_that_does_not_answer_at_its_address_is_waited_for(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with sleeping(tmp_path, postgres_url, redis_url, wake_hold=timedelta(seconds=1)) as sleeper:
        async with running_app() as app:
            pass
        await sleeper.start(app)
        assert (await sleeper.send("POST")).status_code == 503
        assert app.seen == []


async def test_more_than_so_many_requests_are_not_held(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    async with sleeping(tmp_path, postgres_url, redis_url, wake_held_requests=1) as sleeper, running_app() as app:
        held = asyncio.create_task(sleeper.send("POST"))

        async def is_full() -> bool:
            return sleeper.door.app.state.waker.arrivals.is_full

        await wait_until(is_full)
        assert (await sleeper.send("POST")).status_code == 503
        await sleeper.start(app)
        assert (await held).status_code == 201


@pytest.mark.parametrize("key", ["", "wrong", "a-random-password-of-tests"])
async def test_nobody_but_traefik_has_anything_passed_on(sleeper: Sleeper, key: str) -> None:
    async with running_app() as app:
        await sleeper.start(app)
        headers = {"X-Towline-Door-Key": key}
        answer = await sleeper.send("GET", headers=headers)
        assert (answer.status_code, app.seen) == (404, [])
    assert await sleeper.state() == "asleep"


async def test_a_route_that_is_gone_is_nothing(sleeper: Sleeper) -> None:
    headers = {"X-Towline-Door-Key": sleeper.door.platform.settings.door_key}
    answer = await sleeper.door.http.get("/_towline/waking/rou-gone/x", headers=headers)
    assert answer.status_code == 404
