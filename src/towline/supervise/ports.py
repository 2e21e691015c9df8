"""Which TCP ports can be had on this machine."""

import errno
import socket
from enum import StrEnum


class PortState(StrEnum):
    """What happens to a process that asks for a port."""

    FREE = "free"
    TAKEN = "taken by another program"
    FORBIDDEN = "not allowed for this user"


def look_at_port(port: int) -> PortState:
    """Whether this process could listen on a TCP port on every address now."""
    for family, address in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
        state = _try_bind(family, address, port)
        if state is not PortState.FREE:
            return state
    return PortState.FREE


def choose_port(preferred: int, fallback: int) -> int:
    """`preferred` where it is free and allowed, else the first free one from `fallback` on."""
    candidates = (preferred, *range(fallback, min(fallback + 200, 65_536)))
    return next((port for port in candidates if look_at_port(port) is PortState.FREE), fallback)


def find_free_loopback_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _try_bind(family: socket.AddressFamily, address: str, port: int) -> PortState:
    try:
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address, port))
            listener.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return PortState.TAKEN
        if error.errno in {errno.EACCES, errno.EPERM}:
            return PortState.FORBIDDEN
    return PortState.FREE  # a family this machine lacks takes no port from anybody
