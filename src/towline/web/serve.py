"""The API's server: one uvicorn on a loopback port, reached through Traefik at the platform's own host."""

import asyncio
import os
import signal
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import uvicorn
import uvloop

from towline.actions.first_keys import ensure_bootstrap_key
from towline.actions.key_check import ensure_key_matches
from towline.actions.platform import Platform
from towline.config import Settings
from towline.infra.collection import spare_what_stays
from towline.web.app import create_app
from towline.web.sockets import SocketProtocol
from towline.wiring import open_platform, start_logging

_GRACE_SECONDS = 8
_KEEP_ALIVE_SECONDS = 75
"""Longer than Traefik keeps an idle connection, so that it never sends a request into a closing one."""


def main(arguments: Sequence[str]) -> int:
    """`python -m towline internal api`: the exit code."""
    del arguments  # everything comes by TOWLINE_… variables
    uvloop.run(_main())
    return 0


async def _main() -> None:
    settings = Settings.from_environment(os.environ)
    start_logging(settings)
    async with open_platform(settings, pool_size=8) as platform:
        server = make_server(platform)
        spare_what_stays()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        await serve(platform, server)


class ApiServer(uvicorn.Server):
    """A uvicorn that leaves signals to whoever runs it, and sleeps while nothing happens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End once the open requests are answered, after the grace at the latest."""
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """Wait for `stop`; uvicorn looks ten times a second, which is a tenth of what an idle Towline takes."""
        await self._stopping.wait()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


async def serve(platform: Platform, server: ApiServer) -> None:
    """Serve until stopped; KeyMismatch when the key file is not the database's."""
    await ensure_key_matches(platform.database, platform.settings.key_file)
    await ensure_bootstrap_key(platform)
    await server.serve()


def make_server(platform: Platform) -> ApiServer:
    """The server of a platform's API: loopback only, forwarded headers read by the application itself."""
    return ApiServer(server_config(create_app(platform), port=platform.settings.api_port))


def server_config(app: object, *, port: int) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType] - an ASGI application
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws=SocketProtocol,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws_max_size=64 * 1024,
        ws_per_message_deflate=False,
    )
