"""The program inside a stand-in instance: a real listener on a loopback address of its own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Final

from towline.orchestrators.levels import guess_level
from towline.values import Instance, LogEntry, RunSpec, Stream

DEFAULT_PORT: Final = 8080
OTHER_PORT: Final = 9999
SLOW_SECONDS: Final = 0.3
_KEPT_LINES: Final = 10_000


class Output:
    """The lines of one instance, kept and followed."""

    def __init__(self, instance_id: str) -> None:
        self._instance_id = instance_id
        self._entries: list[LogEntry] = []
        self._dropped = 0
        self._changed = asyncio.Event()
        self.has_ended = False

    def write(self, message: str, *, stream: Stream = "stdout") -> None:
        """Add a line."""
        entry = LogEntry(datetime.now(UTC), message, stream, guess_level(message), self._instance_id)
        self._entries.append(entry)
        if len(self._entries) > _KEPT_LINES:
            del self._entries[0]
            self._dropped += 1
        self._wake()

    def begin(self) -> None:
        """Followers wait from now on until the program ends."""
        self.has_ended = False

    def end(self) -> None:
        """Let followers finish."""
        self.has_ended = True
        self._wake()

    def tail(self, count: int) -> Sequence[LogEntry]:
        """The last lines, oldest first."""
        return self._entries[-count:] if count else []

    async def follow(self, since: datetime | None) -> AsyncGenerator[LogEntry]:
        """Every line from `since` on until the program ends."""
        position = 0
        while True:
            changed = self._changed
            fresh = self._entries[max(0, position - self._dropped) :]
            position = self._dropped + len(self._entries)
            for entry in fresh:
                if since is None or entry.at >= since:
                    yield entry
            if self.has_ended and position == self._dropped + len(self._entries):
                return
            await changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Program:
    """Listens and answers as the image's name tells it to."""

    def __init__(self, spec: RunSpec, *, output: Output) -> None:
        self._spec = spec
        self._address = ""
        self._instance_id = ""
        self._output = output
        self._server: asyncio.Server | None = None
        self._late: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self.ports: Sequence[int] = ()

    async def start(self, instance: Instance) -> int | None:
        """Start it at the instance's address; the exit code of one that ends at once, None while it runs."""
        self._address, self._instance_id = instance.address, instance.id
        self._output.begin()
        if "exits" in self._spec.image:
            self._output.write("error: this program exits at once", stream="stderr")
            return 3
        self._output.write("started")
        if "slow" in self._spec.image:
            self._late = asyncio.create_task(self._listen_late())
        elif "silent" not in self._spec.image:
            await self._listen()
        return None

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        if self._late is not None:
            self._late.cancel()
            await asyncio.gather(self._late, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)
        self.ports = ()

    async def _listen_late(self) -> None:
        await asyncio.sleep(SLOW_SECONDS)
        await self._listen()

    async def _listen(self) -> None:
        if "loopback" in self._spec.image:  # an app that binds localhost is reached by nobody but itself
            return
        port = OTHER_PORT if "other-port" in self._spec.image else self._spec.port or DEFAULT_PORT
        self._server = await asyncio.start_server(self._serve, self._address, port)
        self.ports = (port,)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a caller that hung up or did not speak HTTP
        finally:
            self._answering.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        self._output.write(request.split(b"\r\n", 1)[0].decode(errors="replace"))
        writer.write(self._response())
        await writer.drain()

    def _response(self) -> bytes:
        status = "500 Internal Server Error" if "unhealthy" in self._spec.image else "200 OK"
        body = f"{self._spec.service} r{self._spec.release_number} {self._instance_id}\n".encode()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body
