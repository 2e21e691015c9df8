"""Ports for servers of the tests."""

import random
import socket
from typing import Final

_OUTSIDE: Final = range(20_000, 32_000)
"""None that the kernel gives to outgoing connections (ip(7), ip_local_port_range): one could take it first."""


def free_port() -> int:
    """A TCP port nobody listens on, at no address of this machine."""
    while True:
        port = random.SystemRandom().choice(_OUTSIDE)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
