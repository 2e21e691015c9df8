"""Frames made once for many connections: what the library makes for one, and given to a connection that takes."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from towline.actions.live.listener import Door
from towline.actions.live.wire import SharedText
from towline.web.serve import server_config
from towline.web.sockets import find_door, text_frame


@pytest.mark.parametrize("text", ["a" * size for size in (0, 1, 125, 126, 65_535, 65_536)] + ["é" * 100])
def test_a_frame_is_that_of_the_library(text: str) -> None:
    assert text_frame(text) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


@dataclass
class Application:
    """Accepts one connection, keeps its door, and closes it when told."""

    accepted: asyncio.Event = field(default_factory=asyncio.Event)
    may_close: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    doors: list[Door] = field(default_factory=list[Door])
    was_open: list[bool] = field(default_factory=list[bool])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = WebSocket(scope, receive, send)
        door = find_door(connection)
        assert door is not None
        self.doors.append(door)
        self.was_open.append(door.is_open)
        await connection.accept()
        self.accepted.set()
        await self.may_close.wait()
        await connection.close()
        self.closed.set()


async def test_a_connection_takes_texts_from_when_it_is_accepted_until_it_is_closed() -> None:
    application, told = Application(), SharedText("for all")
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = server_config(application, port=port)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    async with asyncio.timeout(20), connect(f"ws://127.0.0.1:{port}/", proxy=None) as connection:
        await application.accepted.wait()
        (door,) = application.doors
        assert [*application.was_open, door.is_open] == [False, True]
        door.give(told)
        door.give(SharedText("é" * 70_000))
        assert [await connection.recv(), len(await connection.recv())] == ["for all", 70_000]
        assert told.packed == text_frame("for all")
        application.may_close.set()
        await application.closed.wait()
        assert not door.is_open
    server.should_exit = True
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    listening.close()
