"""Asking one address as fast as it answers, on kept connections and from a process of its own.

`python -m bench.parts.asking PORT PATH CONNECTIONS SECONDS HOST`, the API key in TOWLINE_API_KEY; prints the seconds
that each answer took as a JSON list.
"""

import asyncio
import json
import os
import re
import sys
import time
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Asker(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer."""

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self.failure = ""
        self._request = request
        self._latencies = latencies
        self._buffer = bytearray()
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer; ask again once it is whole."""
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, head_end + 2)
        if not self._buffer.startswith(b"HTTP/1.1 200") or length is None:
            self.failure = bytes(self._buffer[:200]).decode(errors="replace")
            self._transport.close()
            return
        if len(self._buffer) >= head_end + 4 + int(length[1]):
            self._latencies.append(time.perf_counter() - self._asked_at)
            self._buffer.clear()
            self._ask()

    def _ask(self) -> None:
        self._asked_at = time.perf_counter()
        self._transport.write(self._request)


async def main(port: int, path: str, connections: int, *, seconds: float, host: str) -> None:
    """Ask for so long, then tell."""
    key = os.environ.get("TOWLINE_API_KEY", "")
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    askers = [Asker(request, latencies) for _ in range(connections)]
    for asker in askers:
        await loop.create_connection(lambda made=asker: made, "127.0.0.1", port)
    await asyncio.sleep(seconds)
    if failures := [asker.failure for asker in askers if asker.failure]:
        sys.exit(f"{path} was not answered with 200: {failures[0]}")
    sys.stdout.write(json.dumps(latencies))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), seconds=float(sys.argv[4]), host=sys.argv[5]))
