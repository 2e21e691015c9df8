"""Counts this host's open TCP connections to servers, from the kernel's own table."""

import ipaddress
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

_ESTABLISHED = b"01"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def count_connections(servers: Iterable[str], *, tables: Iterable[Path] = _TABLES) -> Mapping[str, int]:
    """Established connections from this host to each server (`http://ip:port`), 0 included.

    Counts what leaves this host (proc(5), net/tcp: remote address in the third column, state in the fourth); a
    connection that a server on this very host has accepted is another line and is not counted. Blocking.
    """
    wanted = {_kernel_address(server): server for server in servers}
    counts = dict.fromkeys(wanted.values(), 0)
    for table in tables:
        if wanted and table.exists():
            with table.open("rb") as lines:
                for line in lines:
                    fields = line.split(None, 4)
                    if fields[3] == _ESTABLISHED and fields[2] in wanted:
                        counts[wanted[fields[2]]] += 1
    return counts


def _kernel_address(server: str) -> bytes:
    """An address as the kernel prints it: 32-bit words in host byte order, port in plain hexadecimal."""
    parts = urlsplit(server)
    packed = ipaddress.ip_address(parts.hostname or "").packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words).encode() + f":{parts.port:04X}".encode()
