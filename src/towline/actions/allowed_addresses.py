"""Networks that a key may be used from."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_allowed(address: str, networks: Sequence[str]) -> bool:
    """Whether an address is in one of some networks (none: everywhere); one that is not known is nowhere."""
    if not networks:
        return True
    try:
        found = _plain(ipaddress.ip_address(address))
    except ValueError:
        return False
    return any(found in network for network in _parsed(tuple(networks)))


def is_within(network: str, networks: Sequence[str]) -> bool:
    """Whether all of a network is in one of some networks."""
    [inner] = _parsed((network,))
    return any(_contains(outer, inner) for outer in _parsed(tuple(networks)))


def _contains(outer: Network, inner: Network) -> bool:
    is_same_kind = outer.version == inner.version
    return is_same_kind and inner.network_address in outer and inner.broadcast_address in outer


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (`::ffff:203.0.113.9`), else the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=1024)
def _parsed(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network, strict=False) for network in networks)
