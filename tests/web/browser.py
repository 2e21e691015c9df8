"""A browser as far as the server can tell: keeps cookies, and says which page sent a form."""

from collections.abc import Mapping
from typing import Any

import httpx2
from fastapi import FastAPI

from towline.contract.base import API_PREFIX

HOST = "towline.test"


class Browser:
    """Follows no redirect by itself; `address` is where it is."""

    def __init__(self, app: FastAPI, *, address: str = "203.0.113.9", scheme: str = "http") -> None:
        self.origin = f"{scheme}://{HOST}"
        transport = httpx2.ASGITransport(app=app, client=(address, 4711), raise_app_exceptions=False)
        agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
        self.http = httpx2.AsyncClient(transport=transport, base_url=self.origin, headers=agent)

    async def get(self, path: str) -> httpx2.Response:
        """Open a page."""
        return await self.http.get(path)

    async def send(self, path: str, fields: Mapping[str, str], *, origin: str | None = None) -> httpx2.Response:
        """Send a form, from Towline's own page unless another origin is given."""
        return await self.http.post(path, data=dict(fields), headers={"Origin": origin or self.origin})

    async def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Call the API as a script of Towline's own page would."""
        headers = {"Origin": self.origin, **options.pop("headers", {})}
        return await self.http.request(method, API_PREFIX + path, headers=headers, **options)

    async def sign_in(self, email: str, password: str) -> httpx2.Response:
        """Sign in by the API, the session kept as a cookie."""
        return await self.call("POST", "/sessions", json={"email": email, "password": password})
