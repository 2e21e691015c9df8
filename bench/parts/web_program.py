"""The app under load: answers its version, reads bodies, streams, and upgrades to a ticking socket; no library needed.

It ends at once on SIGTERM, open streams or not: what keeps them whole is the platform alone.
"""

import asyncio
import base64
import hashlib
import os
import signal
import sys
from urllib.parse import parse_qs, urlsplit

_TICK = 0.1
_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


async def serve(version: str, port: int) -> None:
    """Answer until SIGTERM."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    app = App(version)
    server = await asyncio.start_server(app.talk, "0.0.0.0", port, backlog=512)
    await server.serve_forever()


class App:
    """One version of the app."""

    def __init__(self, version: str) -> None:
        self._version = version.encode()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, request after request."""
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may carry another."""
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        target = urlsplit(first.split()[1])
        seconds = float(parse_qs(target.query).get("seconds", ["1"])[0])
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if target.path == "/stream":
            await _stream(writer, seconds)
        elif target.path == "/socket":
            await _tick(writer, headers["sec-websocket-key"], seconds)
            return False
        else:
            if body:
                await asyncio.sleep(0.005)
            await _send(writer, hashlib.sha256(body).hexdigest().encode() if body else self._version)
        return True


async def _send(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
    await writer.drain()


async def _stream(writer: asyncio.StreamWriter, seconds: float) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(round(seconds / _TICK)):
        writer.write(b"4\r\ntick\r\n")
        await writer.drain()
        await asyncio.sleep(_TICK)
    writer.write(b"3\r\nend\r\n0\r\n\r\n")
    await writer.drain()


async def _tick(writer: asyncio.StreamWriter, key: str, seconds: float) -> None:
    accept = base64.b64encode(hashlib.sha1(key.encode() + _WEBSOCKET, usedforsecurity=False).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    for _ in range(round(seconds / _TICK)):
        writer.write(b"\x81\x04tick")
        await writer.drain()
        await asyncio.sleep(_TICK)
    writer.write(b"\x81\x03end\x88\x00")
    await writer.drain()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], 8080))
