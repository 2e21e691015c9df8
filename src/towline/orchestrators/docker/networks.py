"""Networks of environments, each a small subnet of the pool; and volumes, which live as long."""

import asyncio
import contextlib
import hashlib
import ipaddress
import json
import socket
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from towline.errors import Conflict, InvalidInput, NotFound, OrchestratorUnavailable
from towline.orchestrators.docker.engine import Document, Engine, section
from towline.orchestrators.docker.payloads import OWNER_LABEL, network_payload
from towline.orchestrators.docker.states import own_network

PREFIX_LENGTH: Final = 23
_TRIES: Final = 20
_WAITS: Final = 20
_WAIT_SECONDS: Final = 0.1
_ROUTES: Final = Path("/proc/net/route")
Subnet = ipaddress.IPv4Network


class Networks:
    """The networks of one installation on one Engine."""

    def __init__(self, engine: Engine, *, installation_id: str, pool: str) -> None:
        self._engine = engine
        self._installation_id = installation_id
        self._pool = pool
        self._choosing = asyncio.Lock()

    async def ensure(self, name: str, *, labels: Mapping[str, str]) -> str:
        """The subnet of the network, made now unless it is there; Conflict when the name is somebody else's."""
        if (subnet := await self._find(name)) is not None:
            return subnet
        async with self._choosing:
            return await self._create(name, {**labels, OWNER_LABEL: self._installation_id})

    async def admit_guest(self, engine_id: str, name: str, *, aliases: Sequence[str]) -> None:
        """Connect a container of another network; quiet when it is connected, or gone."""
        try:
            container: Document = await self._engine.call("GET", f"containers/{engine_id}/json")
        except NotFound:
            return
        if name in section(container, "NetworkSettings", "Networks"):
            return
        body = {"Container": engine_id, "EndpointConfig": {"Aliases": list(aliases)}}
        try:
            await self._engine.call("POST", f"networks/{name}/connect", body=body)
        except (Conflict, OrchestratorUnavailable, InvalidInput) as error:
            if "already exists in network" not in error.message:
                raise

    async def remove(self, name: str) -> None:
        """Remove the network unless containers of its own run in it; quiet when it is gone."""
        try:
            await self._send_guests_away(name)
            await self._engine.call("DELETE", f"networks/{name}")
        except NotFound:
            return
        except OrchestratorUnavailable as error:
            if "active endpoints" not in error.message:
                raise

    async def _send_guests_away(self, name: str) -> None:
        params = {"all": "1", "filters": json.dumps({"network": [name]})}
        rows: list[Document] = await self._engine.call("GET", "containers/json", params=params)
        for row in rows:
            if own_network(row) != name:
                body = {"Container": row["Id"], "Force": True}
                await self._engine.call("POST", f"networks/{name}/disconnect", body=body)

    async def list_names(self) -> Sequence[str]:
        """Names of the installation's networks."""
        filters = json.dumps({"label": [f"{OWNER_LABEL}={self._installation_id}"]})
        rows: list[Document] = await self._engine.call("GET", "networks", params={"filters": filters})
        return sorted(row["Name"] for row in rows)

    async def _create(self, name: str, labels: Mapping[str, str]) -> str:
        refused: set[Subnet] = set()
        for _ in range(_TRIES):
            if (found := await self._find(name)) is not None:
                return found
            subnet = choose_subnet(self._pool, name=name, taken={*await self._list_taken(), *refused})
            body = network_payload(name, subnet=str(subnet), gateway=str(subnet[1]), labels=labels)
            try:
                await self._engine.call("POST", "networks/create", body=body)
            except Conflict:
                continue
            except (OrchestratorUnavailable, InvalidInput) as error:
                if "overlap" not in error.message.lower():
                    raise
                if (found := await self._wait_for(name)) is not None:
                    return found
                refused.add(subnet)
                continue
            return str(subnet)
        raise OrchestratorUnavailable(f"No free subnet for the network {name} could be had in {_TRIES} tries.")

    async def _wait_for(self, name: str) -> str | None:
        """The network that another process is making just now, in the very subnet that was chosen here."""
        for _ in range(_WAITS):
            await asyncio.sleep(_WAIT_SECONDS)
            if (found := await self._find(name)) is not None:
                return found
        return None

    async def _find(self, name: str) -> str | None:
        filters = json.dumps({"name": [name]})
        rows: list[Document] = await self._engine.call("GET", "networks", params={"filters": filters})
        found = next((row for row in rows if row["Name"] == name), None)
        if found is None:
            return None
        if section(found, "Labels").get(OWNER_LABEL) != self._installation_id:
            raise Conflict(
                f"A network named {name} is there already and is not of this installation.",
                hint="Remove or rename that network (`docker network rm`), then deploy again.",
            )
        return str(next(subnets_of(found)))

    async def _list_taken(self) -> Collection[Subnet]:
        rows: list[Document] = await self._engine.call("GET", "networks")
        return [subnet for row in rows for subnet in subnets_of(row)] + _routed_subnets()


def choose_subnet(pool: str, *, name: str, taken: Collection[Subnet]) -> Subnet:
    """The first /23 of the pool that overlaps nothing taken; OrchestratorUnavailable when there is none.

    The search begins at a place that follows from the name: two processes that make the same network choose the same
    subnet, and the Engine, which does not keep names unique, refuses the second.
    """
    whole = ipaddress.IPv4Network(pool)
    near = [subnet for subnet in taken if subnet.overlaps(whole)]
    candidates = list(whole.subnets(new_prefix=max(PREFIX_LENGTH, whole.prefixlen)))
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(candidates)
    for candidate in candidates[start:] + candidates[:start]:
        if not any(candidate.overlaps(subnet) for subnet in near):
            return candidate
    raise OrchestratorUnavailable(
        f"Every network of the pool {pool} is taken.",
        hint="Set TOWLINE_NETWORK_POOL to a larger range that the host does not route elsewhere.",
    )


def route_subnets(table: str) -> list[Subnet]:
    """The subnets in `/proc/net/route`, without the default route."""
    subnets: list[Subnet] = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        destination, mask = _address(fields[1]), _address(fields[7])
        if mask != "0.0.0.0":  # noqa: S104 -- the mask of the default route, nothing is bound to it
            subnets.append(Subnet(f"{destination}/{mask}", strict=False))
    return subnets


def subnets_of(network: Document) -> Iterator[Subnet]:
    """The IPv4 subnets of one of the Engine's networks."""
    rows: list[Document] = section(network, "IPAM").get("Config") or []
    for row in rows:
        with contextlib.suppress(ipaddress.AddressValueError, ipaddress.NetmaskValueError):
            yield Subnet(row.get("Subnet", ""), strict=False)


async def get_host_gateway(engine: Engine) -> str:
    """The host's address on Docker's default bridge, which containers of every network can reach."""
    try:
        bridge: Document = await engine.call("GET", "networks/bridge")
        subnet = next(subnets_of(bridge))
    except (NotFound, StopIteration) as error:
        raise OrchestratorUnavailable(
            "Docker has no default bridge network.", hint="Set TOWLINE_INTERNAL_ADDRESS to an address of this host."
        ) from error
    gateways = [row["Gateway"] for row in bridge["IPAM"]["Config"] if "." in row.get("Gateway", "")]
    return str(gateways[0] if gateways else subnet[1])


async def remove_volume(engine: Engine, name: str) -> None:
    """Remove a volume; quiet when it is gone, Conflict while a container has it."""
    with contextlib.suppress(NotFound):
        await engine.call("DELETE", f"volumes/{name}")


def _routed_subnets() -> list[Subnet]:
    try:
        return route_subnets(_ROUTES.read_text())
    except OSError:
        return []


def _address(little_endian: str) -> str:
    return socket.inet_ntoa(struct.pack("<L", int(little_endian, 16)))
