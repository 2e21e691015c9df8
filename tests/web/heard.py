"""An HTTP server on this machine in the place of a git platform's API."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Heard:
    """Notes what it is asked for; `answers` are by method and path (with the query where that matters), else an id."""

    url: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list[tuple[str, str, Any]])
    headers: list[str] = field(default_factory=list[str])
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict[tuple[str, str], tuple[int, Any]])

    async def answer(self, request: web.Request) -> web.Response:
        """Note a call and answer it."""
        body: Any = await request.json() if request.can_read_body else None
        self.calls.append((request.method, request.path, body))
        self.headers.append(request.headers.get("Authorization", ""))
        wanted = ((request.method, path) for path in (request.path_qs, request.path))
        status, content = next((self.answers[key] for key in wanted if key in self.answers), (201, {"id": 42}))
        return web.json_response(content, status=status)


@asynccontextmanager
async def serve_heard() -> AsyncGenerator[Heard]:
    """A server on a free port of this machine."""
    found = Heard()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()
