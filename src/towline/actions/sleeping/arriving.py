"""Arriving: what a request to a sleeping app waits for, each app looked at once for all who wait."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import bindparam, select

from towline.actions.platform import Platform
from towline.actions.sleep import ask_for
from towline.infra.reads import Read
from towline.models.projects import Environment
from towline.models.services import Instance, Route, Workload

_LOOK_SECONDS = 0.1
_LOOKS = 50

_SERVERS = Read(
    select(Instance.address, Instance.port)
    .join(Workload, Workload.id == Instance.workload_id)
    .where(Workload.id == bindparam("workload_id"), Workload.wanted == "running")
    .where(Instance.is_routed, Instance.address != "", Instance.port.is_not(None))
)
_PLACE = Read(
    select(Workload.id.label("workload_id"), Workload.environment_id)
    .join(Route, Route.workload_id == Workload.id)
    .join(Environment, Environment.id == Workload.environment_id)
    .where(Route.id == bindparam("route_id"), Environment.deleted_at.is_(None))
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a route leads to."""

    workload_id: str
    environment_id: str


class Arrivals:
    """Requests of one process that wait for sleeping apps; more than the settings say are not held."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._looks: dict[str, asyncio.Task[str]] = {}
        self._held = 0

    @property
    def is_full(self) -> bool:
        """Whether no more requests are held."""
        return self._held >= self._platform.settings.wake_held_requests

    async def find_place(self, route_key: str) -> Place | None:
        """Where the route of a key leads; None when there is no such route any more."""
        rows = await _PLACE.fetch(self._platform.database, route_id=route_key.replace("-", "_", 1))
        return Place(rows[0]["workload_id"], rows[0]["environment_id"]) if rows else None

    async def ask_for(self, place: Place) -> None:
        """Have the environment woken, unless it is."""
        async with self._platform.database.transaction() as work:
            await ask_for(self._platform, work, place.environment_id)

    async def find_server(self, place: Place) -> str:
        """The address of one of the servers, `http://ip:port`; empty while there is none."""
        rows = await _SERVERS.fetch(self._platform.database, workload_id=place.workload_id)
        if not rows:
            return ""
        row = secrets.choice(rows)
        return f"http://{row['address']}:{row['port']}"

    async def wait_for_server(self, place: Place, *, limit: timedelta) -> str:
        """The same as soon as there is one; empty when there was none in time, or too many wait already."""
        if self.is_full:
            return ""
        self._held += 1
        try:
            async with asyncio.timeout(limit.total_seconds()):
                while True:
                    # Shielded, since others may wait for the same look; theirs may end before this one's time is up.
                    if server := await asyncio.shield(self._look(place)):
                        return server
        except TimeoutError:
            return ""
        finally:
            self._held -= 1

    async def close(self) -> None:
        """Look no more."""
        looks = list(self._looks.values())
        for look in looks:
            look.cancel()
        if looks:
            await asyncio.wait(looks)

    def _look(self, place: Place) -> asyncio.Task[str]:
        if place.workload_id not in self._looks:
            look = asyncio.create_task(self._look_until_there(place), name=f"look for {place.workload_id}")
            self._looks[place.workload_id] = look
            look.add_done_callback(lambda _: self._forget(place))
        return self._looks[place.workload_id]

    def _forget(self, place: Place) -> None:
        look = self._looks.pop(place.workload_id)
        if not look.cancelled():
            look.exception()  # those who waited were told; there may have been none any more

    async def _look_until_there(self, place: Place) -> str:
        for _ in range(_LOOKS):
            if server := await self.find_server(place):
                return server
            await asyncio.sleep(_LOOK_SECONDS)
        return ""
