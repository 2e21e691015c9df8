"""The contract of a router: what sends requests to instances."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from towline.values import Route


@dataclass(frozen=True, slots=True)
class RequestTotals:
    """Requests of one route since the router started: all, those answered from 500 on, and the seconds they took."""

    requests: int = 0
    failures: int = 0
    seconds: float = 0.0


class Router(ABC):
    """Takes whole route lists, one per owner (an environment, or `platform`); the last one given is the truth.

    Only one publisher calls it for one owner at a time (actions.routes holds the lock). Raises RouterUnavailable when
    the change is not confirmed in time; the list is written all the same and holds once the router is back.
    """

    kind: ClassVar[str]
    has_doors: ClassVar[bool] = False
    """Whether it leads requests through Towline: to wake what sleeps, and to guard routes."""

    @abstractmethod
    async def publish(self, owner: str, routes: Sequence[Route]) -> None:
        """Replace every route of `owner` in one step, before it is confirmed; an equal list is not written again."""

    @abstractmethod
    async def wait_until_confirmed(self, owner: str, routes: Sequence[Route], *, timeout: timedelta) -> None:
        """Return once the router itself shows exactly these servers for these routes; RouterUnavailable otherwise."""

    @abstractmethod
    async def remove(self, owner: str) -> None:
        """Remove every route of `owner`. Done when there are none."""

    @abstractmethod
    async def publish_platform(self) -> None:
        """Lead the platform's own hosts to it as they are now; nothing to do for a router that does not."""

    def instance_labels(
        self, *, project_id: str, service_id: str, routes: Sequence[Route], port: int
    ) -> dict[str, str]:
        """Labels that instances must carry for this router; none for one that is told of routes by `publish`."""
        del project_id, service_id, routes, port
        return {}

    @abstractmethod
    async def list_owners(self) -> Sequence[str]:
        """Owners that have routes now."""

    @abstractmethod
    async def put_certificate(self, host: str, *, certificate_pem: str, key_pem: str) -> None:
        """Serve the user's own certificate for a host; InvalidInput when the pair does not fit or does not cover it."""

    @abstractmethod
    async def remove_certificate(self, host: str) -> None:
        """Forget the user's own certificate for a host. Done when there is none."""

    @abstractmethod
    async def get_certificate_problem(self, host: str) -> str:
        """Why no certificate could be had for the host, in one sentence; empty when there is one or none is wanted."""

    @abstractmethod
    async def get_open_requests(self, owner: str, *, servers: Sequence[str] = ()) -> Mapping[str, int]:
        """Open requests and connections by server address, where the router can tell; empty where it cannot.

        `servers` are further ones to count, such as those the owner's routes have just left.
        """

    async def get_request_totals(self) -> Mapping[str, RequestTotals]:
        """What was requested so far, by the key of the route; empty for a router that cannot tell."""
        return {}

    @abstractmethod
    async def ping(self) -> str:
        """The router's version; RouterUnavailable when it does not answer within two seconds."""

    @abstractmethod
    def session(self) -> AbstractAsyncContextManager[None]:
        """Hold the connection to the router for the length of a process."""
