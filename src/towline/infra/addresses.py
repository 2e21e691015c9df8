"""Addresses of hosts: what a name leads to now, and which addresses are this machine's or in closed networks."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

_RESOLVE_SECONDS: Final = 5


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses a host has now; empty when it is not known here, as behind a proxy."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def is_named_local(host: str) -> bool:
    """Whether a host's name, or address, says that it is this machine."""
    return host == "localhost" or host.endswith(".localhost") or is_local(host)


def is_inside(address: str, networks: Sequence[str]) -> bool:
    """Whether an address is in one of some networks; false for what is no address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return any((mapped or ip) in ipaddress.ip_network(network) for network in networks)


def is_local(address: str) -> bool:
    """Whether an address leads to this machine or its link; false for what is no address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    seen = mapped or ip
    return seen.is_loopback or seen.is_link_local or seen.is_unspecified or seen.is_multicast
