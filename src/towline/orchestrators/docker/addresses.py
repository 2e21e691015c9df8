"""Fixed addresses of instances: what a route points to is never another container, not even after a power failure.

The Engine gives free addresses anew whenever it starts containers; a router that still knows the old ones would send
one service's requests to another. So each network's upper half is for instances, which keep theirs for life, and the
lower half for whatever the Engine numbers itself.
"""

import asyncio
import ipaddress
import json
import random
from collections.abc import Collection, Iterator, Sequence
from typing import Final, Protocol

from towline.errors import OrchestratorUnavailable
from towline.orchestrators.docker.engine import Document, Engine, section

IN_USE: Final = "address already in use"
"""What the Engine says when an address was taken meanwhile."""

_random: Final = random.SystemRandom()


def halves(subnet: str) -> tuple[str, str]:
    """The half the Engine numbers itself, and that of the instances."""
    lower, upper = ipaddress.IPv4Network(subnet).subnets(prefixlen_diff=1)
    return str(lower), str(upper)


class Choice(Protocol):
    """A way to choose among the free addresses of a range."""

    def __call__(self, half: str, *, taken: Collection[str], count: int) -> Sequence[str]:
        """So many addresses of the range that are not taken."""
        ...


def choose_free(half: str, *, taken: Collection[str], count: int) -> Sequence[str]:
    """Free addresses of the range, at random: one given back a moment ago is not likely to be chosen at once."""
    return _random.sample(_list_free(half, taken, count), count)


def choose_row(half: str, *, taken: Collection[str], count: int) -> Sequence[str]:
    """Free addresses of the range in a row that begins anywhere, so that few networks hold them; else in a few rows."""
    free = _list_free(half, taken, count)
    numbers = [int(ipaddress.IPv4Address(address)) for address in free]
    rows = [at for at in range(len(free) - count + 1) if count and numbers[at + count - 1] - numbers[at] == count - 1]
    start = _random.choice(rows or range(len(free) - count + 1))
    return free[start : start + count]


async def choose_addresses(engine: Engine, network: str, *, count: int, choose: Choice = choose_free) -> Sequence[str]:
    """Addresses for new instances that no container of the network has, running or not.

    Empty when the network was not made by this layer (it has no half for instances). OrchestratorUnavailable when
    there are not so many left.
    """
    params = {"all": "1", "filters": json.dumps({"network": [network]})}
    found: Document
    containers: list[Document]
    found, containers = await asyncio.gather(
        engine.call("GET", f"networks/{network}"), engine.call("GET", "containers/json", params=params)
    )
    half = _half_of(found)
    return () if half is None else choose(half, taken=set(_taken(containers, network)), count=count)


def _list_free(half: str, taken: Collection[str], count: int) -> list[str]:
    free = [str(address) for address in ipaddress.IPv4Network(half).hosts() if str(address) not in taken]
    if len(free) < count:
        raise OrchestratorUnavailable(
            f"The network has {len(free)} free addresses, {count} are needed.",
            hint="Wait for old instances to end, or spread the services over more projects.",
        )
    return free


def _half_of(network: Document) -> str | None:
    configs: list[Document] = section(network, "IPAM").get("Config") or []
    fitting = [config["Subnet"] for config in configs if config.get("IPRange")]
    return halves(fitting[0])[1] if fitting else None


def _taken(containers: Sequence[Document], network: str) -> Iterator[str]:
    for container in containers:
        endpoint = section(container, "NetworkSettings", "Networks", network)
        wanted: str = section(endpoint, "IPAMConfig").get("IPv4Address", "")
        present: str = endpoint.get("IPAddress", "")
        yield from (address for address in (wanted, present) if address)
