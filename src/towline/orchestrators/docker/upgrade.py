"""A connection of its own to a command inside a container, so that its input can be written and ended."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from towline.errors import OrchestratorUnavailable
from towline.orchestrators.docker.engine import Engine, engine_error

_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 60.0


@asynccontextmanager
async def open_command(engine: Engine, exec_id: str) -> AsyncGenerator[tuple[StreamReader, StreamWriter]]:
    """Start a command that was made with AttachStdin: its multiplexed output, and its input."""
    host, path = await engine.get_place(f"exec/{exec_id}/start")
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await _connect(host)
    except (OSError, TimeoutError) as error:
        raise OrchestratorUnavailable(f"Docker does not answer at {host}: {error}.") from error
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await _ask(reader, writer, path)
        yield reader, writer
    except (OSError, asyncio.IncompleteReadError) as error:
        raise OrchestratorUnavailable("The connection to Docker was lost while a command ran.") from error
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _connect(host: str) -> tuple[StreamReader, StreamWriter]:
    if host.startswith("unix://"):
        return await asyncio.open_unix_connection(host.removeprefix("unix://"))
    place = urlsplit(host)
    if place.scheme not in {"tcp", "http"} or place.hostname is None:
        raise OrchestratorUnavailable(
            f"Nothing can be fed to commands at {host}.",
            hint="Use Docker's socket, or tcp:// inside a private network.",
        )
    return await asyncio.open_connection(place.hostname, place.port or 2375)


async def _ask(reader: StreamReader, writer: StreamWriter, path: str) -> None:
    body = json.dumps({"Detach": False, "Tty": False}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
        f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    answer = (await reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
    status = int(answer.split(" ", 2)[1])
    if status != 101:
        raise engine_error(status, (await reader.read(2000)).decode(errors="replace"))
