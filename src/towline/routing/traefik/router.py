"""The router that writes Traefik's dynamic configuration and waits until Traefik has taken it over."""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from towline.errors import RouterUnavailable, TowlineError
from towline.infra.lazily import load
from towline.routing.base import RequestTotals, Router
from towline.routing.traefik.api import TraefikApi
from towline.routing.traefik.config import (
    REVISION_HEADER,
    certificate_config,
    get_revision,
    get_servers,
    render,
    revision_name,
    traefik_config,
)
from towline.routing.traefik.connections import count_connections
from towline.routing.traefik.figures import request_totals
from towline.routing.traefik.files import RouteFiles, certificate_file, owner_file
from towline.routing.traefik.options import TraefikOptions
from towline.routing.traefik.platform import platform_routes_config
from towline.routing.traefik.problems import find_certificate_problem, has_certificate
from towline.values import Route

_PLATFORM_FILE = "towline.platform.yml"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1
_REMEMBERED = 1000
_SAMPLE = 4
_log = logging.getLogger(__name__)


class TraefikRouter(Router):
    """Towline's own Traefik: one file per owner, confirmed through Traefik's API."""

    kind = "traefik"
    has_doors = True

    def __init__(self, options: TraefikOptions) -> None:
        self._options = options
        self._files = RouteFiles(options.routes_dir)
        self._api = TraefikApi(options.api_url, options.api_password)
        self._published: dict[tuple[str, bytes], None] = {}

    async def publish(self, owner: str, routes: Sequence[Route]) -> None:
        """Write the owner's file in one rename; no routes means no file."""
        content = self._render(owner, routes)
        self._remember(owner, content)
        if content is None:
            await self.remove(owner)
        else:
            await asyncio.to_thread(self._files.put, owner_file(owner), content)

    async def wait_until_confirmed(self, owner: str, routes: Sequence[Route], *, timeout: timedelta) -> None:
        """Ask Traefik, every 10 ms at first, until it shows exactly these servers.

        Traefik must also show the very revision of the owner's file, so that routes taken away are gone and changed
        rules are in force when this returns. Where a list published here has been replaced meanwhile, the newer one is
        waited for instead; a list that was never published here is confirmed by its servers alone.
        """
        ends_at = time.monotonic() + timeout.total_seconds()
        pause = _FIRST_PAUSE
        wanted = self._render(owner, routes)
        while missing := await self._find_difference(owner, routes, wanted=wanted):
            if time.monotonic() + pause > ends_at:
                raise RouterUnavailable(
                    f"Traefik did not take over the routes of {owner} in {timeout.total_seconds():g} s: {missing}"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.1, _LONGEST_PAUSE)

    async def remove(self, owner: str) -> None:
        """Delete the owner's file."""
        await asyncio.to_thread(self._files.delete, owner_file(owner))

    async def publish_platform(self) -> None:
        """Write the platform's own file again."""
        await self._publish_platform()

    async def list_owners(self) -> Sequence[str]:
        """Owners that have a file."""
        return await asyncio.to_thread(self._files.list_owners)

    async def put_certificate(self, host: str, *, certificate_pem: str, key_pem: str) -> None:
        """Write the pair, checked, into a file of its own (mode 0600) that Traefik picks up like any other."""
        check = load("towline.routing.certificates").check_pair
        pair: tuple[str, str] = check(host, certificate_pem=certificate_pem, key_pem=key_pem)
        await asyncio.to_thread(self._files.put, certificate_file(host), render(certificate_config(*pair)))

    async def remove_certificate(self, host: str) -> None:
        """Delete the file with the pair."""
        await asyncio.to_thread(self._files.delete, certificate_file(host))

    async def get_certificate_problem(self, host: str) -> str:
        """From Traefik's certificate store, its log and DNS; a first request is reported as still under way."""
        return await find_certificate_problem(host, options=self._options, files=self._files)

    async def get_open_requests(self, owner: str, *, servers: Sequence[str] = ()) -> Mapping[str, int]:
        """Connections this host holds to the owner's servers, from the kernel's table.

        Traefik 3 counts open connections by entry point only. Its idle connections end after 0.8 s (see the servers
        transport), so what is still open a second after a switch is a request, a stream or a websocket.
        """
        content = await asyncio.to_thread(self._files.find, owner_file(owner))
        return await asyncio.to_thread(count_connections, {*get_servers(content or b"{}"), *servers})

    async def get_request_totals(self) -> Mapping[str, RequestTotals]:
        """From Traefik's figures for Prometheus."""
        return request_totals(await self._api.get_figures())

    async def ping(self) -> str:
        """Traefik's version."""
        return await self._api.get_version()

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[None]:
        """Hold the connection to Traefik's API; on entering, see that the platform's own routes are there."""
        await asyncio.to_thread(self._files.remove_leftovers)
        is_complete = await self._publish_platform()
        watch = None if is_complete else asyncio.create_task(self._complete_platform(), name="platform certificate")
        self._api.open()
        try:
            yield
        finally:
            await self._api.close()
            if watch is not None:
                watch.cancel()
                await asyncio.wait([watch])

    async def _publish_platform(self) -> bool:
        """Write the platform's own routes, and whether that was all of them.

        Plain HTTP leads to HTTPS only once there is a certificate: until then, nobody could reach the API at all.
        """
        options = self._options
        platform, host = options.platform, options.platform.host
        can_redirect = await asyncio.to_thread(has_certificate, host, options, self._files)
        redirects = platform.redirect_to_https and can_redirect
        former = tuple(options.list_former_hosts())
        certified = await asyncio.to_thread(self._certified, former)
        config = platform_routes_config(
            replace(platform, redirect_to_https=redirects, former_hosts=former, certified_hosts=certified),
            api_password=options.api_password,
            https_port=options.https_port,
        )
        await asyncio.to_thread(self._files.put, _PLATFORM_FILE, render(config))
        return redirects or not platform.redirect_to_https

    def _certified(self, hosts: Sequence[str]) -> frozenset[str]:
        return frozenset(host for host in hosts if has_certificate(host, self._options, self._files))

    async def _complete_platform(self) -> None:
        while True:
            await asyncio.sleep(self._options.certificate_look_seconds)
            try:
                if await self._publish_platform():
                    return
            except TowlineError as error:
                _log.warning("The platform's routes could not be written: %s", error)

    def _render(self, owner: str, routes: Sequence[Route]) -> bytes | None:
        options = self._options
        config = traefik_config(
            owner,
            routes,
            https_port=options.https_port,
            doors_url=options.platform.api_url,
            door_key=options.door_key,
        )
        return render(config) if routes else None

    async def _find_difference(self, owner: str, routes: Sequence[Route], *, wanted: bytes | None) -> str:
        """What Traefik does not show yet, as a sentence; empty when it shows everything."""
        kept = await asyncio.to_thread(self._files.find, owner_file(owner))
        is_current = wanted == kept
        try:
            if is_current or (owner, _digest(wanted)) in self._published:
                shown = await self._api.find_header(revision_name(owner), REVISION_HEADER)
                if shown != (get_revision(kept, owner) if kept else None):
                    return "it still uses the previous file."
                if not is_current:
                    return ""
                # Traefik takes a file over as a whole, so a few of its routes speak for all.
                return await self._find_different_route(routes[:: max(1, len(routes) // _SAMPLE)])
            return await self._find_different_route(routes)
        except RouterUnavailable as error:
            return error.message

    async def _find_different_route(self, routes: Sequence[Route]) -> str:
        for route in routes:
            found = await self._api.find_servers(route.key)
            if found != frozenset(route.servers):
                shown = "no such route" if found is None else ", ".join(sorted(found)) or "no servers"
                return f"it shows {shown} for {route.host}{route.path_prefix}."
        return ""

    def _remember(self, owner: str, content: bytes | None) -> None:
        self._published[owner, _digest(content)] = None
        while len(self._published) > _REMEMBERED:
            del self._published[next(iter(self._published))]


def _digest(content: bytes | None) -> bytes:
    return hashlib.sha256(content or b"").digest()
