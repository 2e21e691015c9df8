"""The application on a real server, as it is served, with the event relay beside it."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from tests.stand_ins import World, make_world
from tests.web.door import Person
from websockets.asyncio.client import ClientConnection, connect

from towline.actions.events import emit, relay_events
from towline.actions.keys import add_key
from towline.actions.platform import Platform
from towline.contract.base import API_PREFIX
from towline.models.accounts import User
from towline.names import new_id
from towline.web.app import create_app
from towline.web.serve import ApiServer, server_config


async def wait_until(is_true: Callable[[], Awaitable[object]]) -> None:
    """Return once `is_true` gives something true; fail when that takes over ten seconds."""
    for _ in range(500):
        if await is_true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not become true within 10 s")


@dataclass
class Served:
    """A served application with the project `shop`, its service `web`, and its owner's key."""

    world: World
    owner: Person
    port: int

    @property
    def platform(self) -> Platform:
        """The platform behind it."""
        return self.world.platform

    @property
    def project_room(self) -> str:
        """The room of the project."""
        return f"project:{self.world.project.id}"

    @asynccontextmanager
    async def socket(self, token: str | None = None, **headers: str) -> AsyncGenerator["Socket"]:
        """A WebSocket of the owner, or with another token (empty: without)."""
        token = self.owner.token if token is None else token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = f"ws://127.0.0.1:{self.port}{API_PREFIX}/ws"
        async with connect(url, additional_headers=headers, proxy=None, compression=None, max_size=None) as connection:
            yield Socket(connection)

    async def add_person(self, *, is_administrator: bool = False, **key: Any) -> Person:
        """A user without any role, with a key."""
        user_id = new_id("usr")
        async with self.platform.database.transaction() as work:
            work.session.add(User(id=user_id, email=f"{user_id}@example.test", is_administrator=is_administrator))
            await work.session.flush()
            made = await add_key(work, user_id, name="test", **key)
        return Person(self.owner.http, user_id, made.value)

    async def add_key(self, **key: Any) -> Person:
        """The owner with another key."""
        async with self.platform.database.transaction() as work:
            made = await add_key(work, self.world.user.id, name="test", **key)
        return Person(self.owner.http, self.world.user.id, made.value)

    async def tell(self, number: int) -> None:
        """One event of the project, with a number to know it by."""
        async with self.platform.database.transaction() as work:
            project_id = self.world.project.id
            emit(self.platform, work, "project.updated", project_id=project_id, data={"number": number})


@dataclass
class Socket:
    """One side of a WebSocket."""

    connection: ClientConnection

    async def send(self, **content: Any) -> None:
        """Send a call."""
        await self.connection.send(json.dumps(content))

    async def read(self, *, timeout: float = 10) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(timeout):
            return json.loads(await self.connection.recv())

    async def subscribe(self, *rooms: str, **options: Any) -> dict[str, Any]:
        """Enter rooms; the answer."""
        await self.send(action="subscribe", rooms=list(rooms), **options)
        return await self.read()

    async def read_numbers(self, last: int, *, timeout: float = 20) -> list[int]:
        """The numbers of events up to the one with number `last`."""
        numbers: list[int] = []
        async with asyncio.timeout(timeout):
            while not numbers or numbers[-1] != last:
                numbers.append(json.loads(await self.connection.recv())["data"]["number"])
        return numbers

    async def read_lines(self, last: int, *, timeout: float = 30) -> list[int]:
        """The sequences of log lines up to `last`; other events are skipped."""
        sequences: list[int] = []
        async with asyncio.timeout(timeout):
            while not sequences or sequences[-1] < last:
                message = json.loads(await self.connection.recv())
                sequences += [line["sequence"] for line in message["data"].get("logs", [])]
        return sequences


@asynccontextmanager
async def serving(platform: Platform) -> AsyncGenerator[Served]:
    """Serve the application of a platform on a loopback port."""
    world = await make_world(platform)
    async with platform.database.transaction() as work:
        token = (await add_key(work, world.user.id, name="owner")).value
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = ApiServer(server_config(create_app(platform), port=port))
    tasks = [asyncio.create_task(server.serve(sockets=[listening])), asyncio.create_task(relay_events(platform))]
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            yield Served(world, Person(http, world.user.id, token), port)
    finally:
        server.stop()
        tasks[1].cancel()
        await asyncio.wait(tasks)  # gathering them would not wait for the server once the other is cancelled
        tasks[0].result()
        listening.close()
