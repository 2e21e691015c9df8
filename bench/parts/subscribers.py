"""Many WebSocket subscribers of one deployment's log, in a process of their own and on raw connections to be cheap.

`python -m bench.parts.subscribers PORT HOST COUNT EXPECTED`, the API key in TOWLINE_API_KEY. Prints `ready` once all
are connected, reads the deployment's id from standard input, listens until every subscriber has seen all lines or
standard input ends, and prints what was seen as JSON.
"""

import asyncio
import base64
import json
import os
import re
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

_TIMED = re.compile(rb"T(\d{19})N(\d+)E")
_SHORT = re.compile(rb"L(\d{6})\b")
_AT_ONCE = 25
_OPEN_SECONDS = 20.0
_PING, _PONG, _TEXT = 9, 10, 1


@dataclass
class Seen:
    """What all subscribers saw: seconds from written to seen, refusals, repeated lines, and lines in all."""

    latencies: list[float] = field(default_factory=list[float])
    refusals: list[str] = field(default_factory=list[str])
    repeated: int = 0
    lines: int = 0
    last_joined_at: float = 0


class Subscriber(asyncio.Protocol):
    """One WebSocket connection (RFC 6455), as far as a listener needs it."""

    def __init__(self, seen: Seen, request: bytes, *, expected: int) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.complete: asyncio.Future[None] = loop.create_future()
        self._seen = seen
        self._request = request
        self._numbers = bytearray(expected + 1)
        self._left = expected
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take the answer to the upgrade, then frames."""
        self._buffer += data
        if not self.opened.done():
            head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.opened.set_exception(ConnectionError(head.decode()))
                return
            self._buffer = bytearray(rest)
            self.opened.set_result(None)
        while self._take_frame():
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told."""
        if not self.complete.done():
            self.complete.set_exception(exc or ConnectionError("the server closed the connection"))
            self.complete.exception()  # it may be read by nobody

    def send(self, content: bytes, *, opcode: int = _TEXT) -> None:
        """Send a short message; the mask of zeros is a mask."""
        length = bytes([0x80 | len(content)]) if len(content) < 126 else b"\xfe" + len(content).to_bytes(2, "big")
        self._transport.write(bytes([0x80 | opcode]) + length + bytes(4) + content)

    def _take_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1] & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return False
        content, opcode = bytes(buffer[start : start + size]), buffer[0] & 0x0F
        del buffer[: start + size]
        if opcode == _PING:
            self.send(content, opcode=_PONG)
        self._read(content)
        return True

    def _read(self, content: bytes) -> None:
        now = time.time_ns()
        if b'"type":"refused"' in content:
            self._seen.refusals.append(content.decode())
        if b'"type":"subscribed"' in content:
            self._seen.last_joined_at = now / 1e9
        for written_at, number in _TIMED.findall(content):
            self._note(int(number), (now - int(written_at)) / 1e9)
        for number in _SHORT.findall(content):
            self._note(int(number), None)

    @property
    def is_silent(self) -> bool:
        """Whether no line came at all."""
        return not any(self._numbers)

    def _note(self, number: int, latency: float | None) -> None:
        if number >= len(self._numbers):
            return
        if self._numbers[number]:
            self._seen.repeated += 1
            return
        self._numbers[number] = 1
        self._seen.lines += 1
        self._left -= 1
        if latency is not None:
            self._seen.latencies.append(latency)
        if not self._left and not self.complete.done():
            self.complete.set_result(None)


async def main(port: int, host: str, count: int, expected: int) -> None:
    """Connect, subscribe, listen, tell."""
    seen = Seen()
    lines = [
        "GET /api/v1/ws HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {os.environ['TOWLINE_API_KEY']}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
    ]
    request = "\r\n".join([*lines, "", ""]).encode()
    subscribers = await _connect(port, request, seen, count=count, expected=expected)
    _tell("ready")
    deployment_id = (await asyncio.to_thread(sys.stdin.readline)).strip()
    call = {"action": "subscribe", "rooms": [f"deployment:{deployment_id}"], "log_since": {deployment_id: 0}}
    asked_at = time.time()
    for subscriber in subscribers:
        subscriber.send(json.dumps(call).encode())
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    complete = asyncio.gather(*(item.complete for item in subscribers), return_exceptions=True)
    await asyncio.wait({ended, complete}, return_when=asyncio.FIRST_COMPLETED)
    dropped = sum(item.complete.done() and item.complete.exception() is not None for item in subscribers)
    found = {
        "missing": count * expected - seen.lines,
        "repeated": seen.repeated,
        "dropped": dropped,
        "silent": sum(item.is_silent for item in subscribers),
        "refusals": seen.refusals,
        "joined_after": seen.last_joined_at - asked_at,
        "latencies": seen.latencies,
    }
    _tell(json.dumps(found))
    os._exit(0)  # the thread that reads standard input may still wait


async def _connect(port: int, request: bytes, seen: Seen, *, count: int, expected: int) -> list[Subscriber]:
    loop, found = asyncio.get_running_loop(), list[Subscriber]()
    for first in range(0, count, _AT_ONCE):
        group = [Subscriber(seen, request, expected=expected) for _ in range(min(_AT_ONCE, count - first))]
        for subscriber in group:
            await loop.create_connection(lambda made=subscriber: made, "127.0.0.1", port)
        async with asyncio.timeout(_OPEN_SECONDS):
            await asyncio.gather(*(subscriber.opened for subscriber in group))
        found += group
    return found


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
