"""Which TCP ports an instance listens on."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from towline.orchestrators.docker.commands import is_process_of
from towline.orchestrators.docker.engine import Document, Engine
from towline.values import Instance, InstanceState

USUAL_PORTS: Final = (
    80,
    1323,
    3000,
    3001,
    3333,
    4000,
    4173,
    4200,
    4321,
    5000,
    5173,
    5432,
    6379,
    7000,
    8000,
    8001,
    8008,
)
MORE_USUAL_PORTS: Final = (8080, 8081, 8088, 8090, 8443, 8787, 8888, 9000, 9090, 9292, 10000)
_LISTEN: Final = "0A"
_CONNECT_SECONDS: Final = 0.25


async def find_listening_ports(engine: Engine, instance: Instance) -> Sequence[int]:
    """From the kernel's tables where this process may read them, else those of the usual ports that accept."""
    document: Document = await engine.call("GET", f"containers/{instance.engine_id}/json")
    process_id = int(document["State"]["Pid"])
    if is_process_of(process_id, instance.engine_id):
        with contextlib.suppress(OSError):
            return _read_ports(process_id)
    if instance.state is not InstanceState.RUNNING or not instance.address:
        return []
    return await probe_ports(instance.address, (*USUAL_PORTS, *MORE_USUAL_PORTS))


def listening_ports(table: str) -> Iterable[int]:
    """Ports in a `/proc/PID/net/tcp` or `tcp6` table that listen on an address other than loopback."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            address, _, port = fields[1].rpartition(":")
            if not _is_loopback(address):
                yield int(port, 16)


async def probe_ports(address: str, ports: Sequence[int]) -> Sequence[int]:
    """Those of `ports` that accept a connection, lowest first."""
    accepted = await asyncio.gather(*(_accepts(address, port) for port in ports))
    return sorted(port for port, is_open in zip(ports, accepted, strict=True) if is_open)


def _read_ports(process_id: int) -> Sequence[int]:
    tables = (Path(f"/proc/{process_id}/net/{name}") for name in ("tcp", "tcp6"))
    return sorted({port for table in tables if table.exists() for port in listening_ports(table.read_text())})


def _is_loopback(address: str) -> bool:
    """Addresses are groups of four bytes, each group least significant byte first."""
    if len(address) == 8:
        return address.endswith("7F")
    is_mapped = address.startswith("0000000000000000FFFF0000")
    return address == "00000000000000000000000001000000" or (is_mapped and address.endswith("7F"))


async def _accepts(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
