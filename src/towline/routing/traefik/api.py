"""Traefik's own API, asked by name: what it has really taken over."""

from collections.abc import Sequence
from typing import Any, cast

import aiohttp
import orjson

from towline.errors import RouterUnavailable
from towline.routing.traefik.platform import API_USER

_TIMEOUT = aiohttp.ClientTimeout(total=2)
_AT_ONCE = 8


class TraefikApi:
    """A connection to Traefik's API, for as long as one of those who opened it has not closed it."""

    def __init__(self, url: str, password: str) -> None:
        self._url = url.rstrip("/")
        self._auth = aiohttp.encode_basic_auth(API_USER, password)
        self._session: aiohttp.ClientSession | None = None
        self._users = 0

    def open(self) -> None:
        """Get ready to ask; connections are made when needed."""
        self._users += 1
        if self._session is not None:
            return
        connector = aiohttp.TCPConnector(limit=_AT_ONCE)
        self._session = aiohttp.ClientSession(
            connector=connector, headers={"Authorization": self._auth}, timeout=_TIMEOUT, trust_env=False
        )

    async def close(self) -> None:
        """Drop every connection, once nobody needs them any more."""
        self._users -= 1
        if self._users:
            return
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get_version(self) -> str:
        """Traefik's version; RouterUnavailable when it does not answer."""
        found = await self._find("version")
        if found is None:
            raise RouterUnavailable("Traefik answers, but its API is not there.")
        return str(found["Version"])

    async def find_servers(self, service: str) -> frozenset[str] | None:
        """Servers of a service as Traefik has them now; None when it has no such service."""
        found = await self._find(f"http/services/{service}@file")
        if found is None:
            return None
        servers = cast("Sequence[dict[str, str]]", found.get("loadBalancer", {}).get("servers") or [])
        return frozenset(server["url"] for server in servers)

    async def find_header(self, middleware: str, header: str) -> str | None:
        """A response header that a middleware sets; None when Traefik has no such middleware."""
        found = await self._find(f"http/middlewares/{middleware}@file")
        if found is None:
            return None
        return str(found.get("headers", {}).get("customResponseHeaders", {}).get(header, ""))

    async def get_figures(self) -> str:
        """Traefik's figures in Prometheus' text format; empty when it was started without them."""
        return (await self._read("metrics") or b"").decode(errors="replace")

    async def _find(self, path: str) -> dict[str, Any] | None:
        body = await self._read(f"api/{path}")
        return None if body is None else cast("dict[str, Any]", orjson.loads(body))

    async def _read(self, path: str) -> bytes | None:
        if self._session is None:
            raise RouterUnavailable("The connection to Traefik's API is not open.")
        try:
            async with self._session.get(f"{self._url}/{path}") as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RouterUnavailable(f"Traefik's API at {self._url} does not answer.") from error
        if response.status == 404:
            return None
        if response.status != 200:
            raise RouterUnavailable(f"Traefik's API at {self._url} answered {response.status} for {path}.")
        return body
