"""Networks of the stand-in: names with subnets, and who is a guest in them."""

import ipaddress
from collections.abc import Sequence

from towline.errors import NotFound


class MemoryNetworks:
    """Networks as if there were some; `guests` has names by network and instance."""

    def __init__(self, pool: str) -> None:
        self._pool = ipaddress.IPv4Network(pool)
        self._subnets: dict[str, str] = {}
        self.guests: dict[str, dict[str, tuple[str, ...]]] = {}

    def ensure(self, name: str) -> str:
        """The subnet of a network, made now unless it is there."""
        if name not in self._subnets:
            taken = set(self._subnets.values())
            free = (str(subnet) for subnet in self._pool.subnets(new_prefix=23) if str(subnet) not in taken)
            self._subnets[name] = next(free)
        return self._subnets[name]

    def check(self, name: str) -> None:
        """Return when there is such a network; NotFound otherwise."""
        if name not in self._subnets:
            raise NotFound(f"There is no network {name}.")

    def admit(self, instance_id: str, name: str, *, aliases: Sequence[str]) -> None:
        """Note a guest."""
        self.guests.setdefault(name, {})[instance_id] = tuple(aliases)

    def remove(self, name: str) -> None:
        """Forget a network with its guests."""
        self._subnets.pop(name, None)
        self.guests.pop(name, None)

    def list_names(self) -> Sequence[str]:
        """Names of all networks."""
        return sorted(self._subnets)
