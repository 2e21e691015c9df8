"""A router that routes nothing: it keeps the lists it is given, for tests of what decides about them."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from towline.errors import RouterUnavailable
from towline.names import check_host
from towline.routing.base import RequestTotals, Router
from towline.routing.certificates import check_pair
from towline.routing.checks import check_owner, check_routes
from towline.values import Route


class MemoryRouter(Router):
    """Stand-in that confirms at once and refuses the same input as the real router.

    `routes` shows the lists by owner, `history` the last thousand that were published; `totals` is what it says
    was requested, `open_requests` what it says is open, by server.
    """

    kind = "memory"
    has_doors = True

    def __init__(self) -> None:
        self.routes: dict[str, tuple[Route, ...]] = {}
        self.history: deque[tuple[str, list[Route]]] = deque(maxlen=1000)
        self.certificates: dict[str, str] = {}
        self.totals: dict[str, RequestTotals] = {}
        self.open_requests: dict[str, int] = {}

    async def publish(self, owner: str, routes: Sequence[Route]) -> None:
        """Keep the list; no routes means no owner."""
        check_owner(owner)
        check_routes(routes)
        self.history.append((owner, _sorted(routes)))
        if routes:
            self.routes[owner] = tuple(routes)
        else:
            self.routes.pop(owner, None)

    async def wait_until_confirmed(self, owner: str, routes: Sequence[Route], *, timeout: timedelta) -> None:
        """Compare servers with the kept list, until the time is up; a list that was replaced meanwhile is confirmed."""
        ends_at = time.monotonic() + timeout.total_seconds()
        while difference := self._find_difference(owner, routes):
            if time.monotonic() > ends_at:
                raise RouterUnavailable(f"The routes of {owner} differ at {difference.host}{difference.path_prefix}.")
            await asyncio.sleep(0.01)

    async def remove(self, owner: str) -> None:
        """Forget the list."""
        self.routes.pop(check_owner(owner), None)

    async def publish_platform(self) -> None:
        """Nobody comes through here."""

    async def list_owners(self) -> Sequence[str]:
        """Owners with routes, sorted."""
        return sorted(self.routes)

    async def put_certificate(self, host: str, *, certificate_pem: str, key_pem: str) -> None:
        """Check the pair and keep the certificate."""
        self.certificates[host], _ = check_pair(host, certificate_pem=certificate_pem, key_pem=key_pem)

    async def remove_certificate(self, host: str) -> None:
        """Forget the certificate."""
        self.certificates.pop(check_host(host), None)

    async def get_certificate_problem(self, host: str) -> str:
        """Never a problem: nothing is asked for."""
        check_host(host)
        return ""

    async def get_open_requests(self, owner: str, *, servers: Sequence[str] = ()) -> Mapping[str, int]:
        """What it was told, else none: nothing is connected."""
        kept = [server for route in self.routes.get(owner, ()) for server in route.servers]
        return {server: self.open_requests.get(server, 0) for server in [*kept, *servers]}

    async def get_request_totals(self) -> Mapping[str, RequestTotals]:
        """What it was told to say; nothing of itself, since nothing is requested."""
        return dict(self.totals)

    async def ping(self) -> str:
        """Always there."""
        return "memory"

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[None]:
        """Nothing to hold."""
        yield

    def _find_difference(self, owner: str, routes: Sequence[Route]) -> Route | None:
        if (owner, _sorted(routes)) in self.history:
            return None
        shown = {route.key: frozenset(route.servers) for route in self.routes.get(owner, ())}
        return next((route for route in routes if shown.get(route.key) != frozenset(route.servers)), None)


def _sorted(routes: Sequence[Route]) -> list[Route]:
    return sorted(routes, key=lambda route: route.key)
