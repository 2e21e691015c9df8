"""The load: so many requests a second, on kept and new connections, GET and POST, with streams beside.

`python load.py ADDRESS PORT HOST RATE STREAMS LONGEST COUNTS_PORT` loads until it is ended, and answers what came of it
as JSON on COUNTS_PORT. It is a process of its own, on this machine or in a container, so that nothing else slows it,
and needs no library.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import os
import random
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field

_PATIENCE = 15.0
_SHORTEST_STREAM = 0.5
_MOST_NAMED = 200
_CONNECTION = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class BadAnswer(Exception):
    """The answer is not what the app gives."""


@dataclass
class Counts:
    """What came of it so far; `failures` holds the time (Unix), the kind and the reason of the first ones."""

    sent: int = 0
    failed: int = 0
    streams: int = 0
    cut: int = 0
    reopened: int = 0
    failures: list[tuple[float, str, str]] = field(default_factory=list[tuple[float, str, str]])
    latencies: list[float] = field(default_factory=list[float])

    def note(self, kind: str, error: BaseException) -> None:
        """Keep why a request failed or a stream was cut."""
        if len(self.failures) < _MOST_NAMED:
            self.failures.append((time.time(), kind, f"{type(error).__name__}: {error}"[:200]))

    def as_json(self) -> bytes:
        """The counts, with percentiles of the answer times in milliseconds."""
        ordered = sorted(self.latencies) or [0.0]
        shown = {name: getattr(self, name) for name in ("sent", "failed", "streams", "cut", "reopened", "failures")}
        shown["p50_ms"], shown["p99_ms"] = (ordered[int(len(ordered) * part)] * 1000 for part in (0.5, 0.99))
        shown["slowest_ms"] = ordered[-1] * 1000
        return json.dumps(shown).encode()


@dataclass(frozen=True)
class Target:
    """Where requests go, and the host they name."""

    address: str
    port: int
    host: str

    async def connect(self) -> _CONNECTION:
        """A new connection."""
        return await asyncio.open_connection(self.address, self.port)

    def head(self, method: str, path: str, *lines: str) -> bytes:
        """The head of a request."""
        return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {self.host}", *lines, "", ""]).encode()


class Load:
    """Keeps a rate of requests and a number of streams going."""

    def __init__(self, target: Target, *, rate: float, streams: int, longest: float) -> None:
        self.counts = Counts()
        self._target = target
        self._rate = rate
        self._streams = streams
        self._longest = longest
        self._kept: deque[_CONNECTION] = deque()

    async def run(self) -> None:
        """Load until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._streams):
                tasks.create_task(self._keep_streaming(is_socket=number % 2 == 0))
            due = time.monotonic()
            for number in itertools.count():
                due += 1 / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.create_task(self._request(is_kept=number % 2 == 0, is_post=number % 4 < 2))

    async def _request(self, *, is_kept: bool, is_post: bool) -> None:
        kind = f"{'kept' if is_kept else 'new'} {'POST' if is_post else 'GET'}"
        self.counts.sent += 1
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                await (self._on_kept(is_post=is_post) if is_kept else self._on_new(is_post=is_post))
            self.counts.latencies.append(time.monotonic() - began_at)
        except (OSError, EOFError, ValueError, BadAnswer) as error:
            self.counts.failed += 1
            self.counts.note(kind, error)

    async def _on_kept(self, *, is_post: bool) -> None:
        connection = await self._take_kept()
        try:
            await self._exchange(connection, is_post=is_post)
        except BaseException:
            connection[1].close()
            raise
        self._kept.append(connection)

    async def _take_kept(self) -> _CONNECTION:
        """A connection that is still open: as any client does, one that was closed while idle is let go."""
        while self._kept:
            reader, writer = self._kept.popleft()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
            self.counts.reopened += 1
        return await self._target.connect()

    async def _on_new(self, *, is_post: bool) -> None:
        connection = await self._target.connect()
        try:
            await self._exchange(connection, is_post=is_post)
        finally:
            connection[1].close()

    async def _exchange(self, connection: _CONNECTION, *, is_post: bool) -> None:
        reader, writer = connection
        body = random.randbytes(random.randint(1, 8192)) if is_post else b""
        length = f"Content-Length: {len(body)}"
        writer.write(self._target.head("POST" if is_post else "GET", "/", length) + body)
        await writer.drain()
        _, headers = await _read_head(reader, status=200)
        content = await reader.readexactly(int(headers["content-length"]))
        if is_post and content.decode() != hashlib.sha256(body).hexdigest():
            raise BadAnswer("the app read another body than was sent")

    async def _keep_streaming(self, *, is_socket: bool) -> None:
        while True:
            seconds = random.uniform(_SHORTEST_STREAM, self._longest)
            try:
                async with asyncio.timeout(seconds + _PATIENCE):
                    await self._follow(seconds, is_socket=is_socket)
                self.counts.streams += 1
            except (OSError, EOFError, ValueError, BadAnswer) as error:
                self.counts.cut += 1
                self.counts.note("socket" if is_socket else "stream", error)
                await asyncio.sleep(0.1)

    async def _follow(self, seconds: float, *, is_socket: bool) -> None:
        reader, writer = await self._target.connect()
        try:
            if is_socket:
                key = base64.b64encode(os.urandom(16)).decode()
                upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
                writer.write(
                    self._target.head("GET", f"/socket?seconds={seconds}", *upgrade, f"Sec-WebSocket-Key: {key}")
                )
                await _read_head(reader, status=101)
                await reader.readuntil(b"\x03end")
            else:
                writer.write(self._target.head("GET", f"/stream?seconds={seconds}"))
                await _read_head(reader, status=200)
                await reader.readuntil(b"end\r\n0\r\n\r\n")
        finally:
            writer.close()


async def _read_head(reader: asyncio.StreamReader, *, status: int) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    answered = int(first.split()[1])
    if answered != status:
        raise BadAnswer(f"answered {first}")
    return answered, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


async def main(address: str, port: int, host: str, *rest: str) -> None:
    """Load as the arguments say, until SIGTERM."""
    rate, streams, longest, counts_port = float(rest[0]), int(rest[1]), float(rest[2]), int(rest[3])
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    load = Load(Target(address, port, host), rate=rate, streams=streams, longest=longest)

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        content = load.counts.as_json()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        writer.close()

    async with await asyncio.start_server(tell, "0.0.0.0", counts_port):
        await load.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
