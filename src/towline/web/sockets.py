"""uvicorn's WebSockets, which also send what was made once for many of them."""

from typing import Final, cast

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from towline.actions.live.listener import Door
from towline.actions.live.wire import SharedText

_EXTENSION: Final = "towline.door"


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection. What it is given leaves before anything that is sent to it later: both go to the transport."""

    async def run_asgi(self) -> None:
        """Serve the connection; the application finds it in the scope's extensions."""
        self.scope["extensions"] = {**(self.scope.get("extensions") or {}), _EXTENSION: {"door": self}}
        await super().run_asgi()

    @property
    def is_open(self) -> bool:
        """Whether the connection takes a text now: it is accepted, not being closed, and its buffer is not full."""
        return (
            self.handshake_complete
            and self.writable.is_set()
            and not (self.close_sent or self.disconnected or self.transport.is_closing())
        )

    def give(self, told: SharedText) -> None:
        """Send a text; its frame is made by the first connection."""
        if not told.packed:
            told.packed = text_frame(told.text)
        self.transport.write(told.packed)


def find_door(socket: WebSocket) -> Door | None:
    """The connection behind a socket; None where another server serves it."""
    extensions = cast("dict[str, dict[str, Door]]", socket.scope.get("extensions") or {})
    return extensions.get(_EXTENSION, {}).get("door")


def text_frame(text: str) -> bytes:
    """A whole text message as a server sends it, without a mask and without compression (RFC 6455, section 5.2)."""
    content = text.encode()
    size = len(content)
    if size < 126:
        head = bytes([0x81, size])
    elif size < 2**16:
        head = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        head = b"\x81\x7f" + size.to_bytes(8, "big")
    return head + content
