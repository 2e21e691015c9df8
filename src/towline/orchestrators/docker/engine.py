"""The connection to the Docker Engine: one pool, negotiated version, every failure as one of Towline's errors."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
from aiodocker import Docker, DockerError

from towline.errors import (
    Conflict,
    DiskFull,
    EngineRefused,
    ImageNotFound,
    InvalidInput,
    NotFound,
    OrchestratorUnavailable,
    TowlineError,
)

Method = Literal["GET", "POST", "PUT", "DELETE"]
Document = dict[str, Any]
"""One JSON object as the Engine sends it; only files of this folder read its keys."""

_CALL_SECONDS: Final = 60.0
_PING_SECONDS: Final = 2.0
_CONNECT_SECONDS: Final = 5.0


class Engine:
    """Sends requests to one Docker Engine; usable inside `session()` only."""

    def __init__(self, docker_host: str) -> None:
        self._docker_host = docker_host
        self._docker: Docker | None = None
        self._connector: aiohttp.BaseConnector | None = None
        self._users = 0
        self._supports_init: bool | None = None

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[None]:
        """Hold the pool of connections; the last of several holders closes it."""
        self._users += 1
        try:
            if self._docker is None:
                self._connect()
            yield
        finally:
            self._users -= 1
            if self._users == 0:
                await self._close()

    async def call(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        timeout_seconds: float = _CALL_SECONDS,
    ) -> Any:
        """The JSON answer to one request with a JSON body or raw content, None when it is empty."""
        async with self.stream(
            method, path, params=params, body=body, content=content, timeout_seconds=timeout_seconds
        ) as response:
            answer = await response.read()
        return json.loads(answer) if answer.strip() else None

    @asynccontextmanager
    async def stream(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        refusal: Callable[[int, str], TowlineError] | None = None,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The open answer to one request, without a time limit unless one is given; `refusal` makes its errors."""
        docker = self._connected
        limit = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=_CONNECT_SECONDS)
        try:
            url = await self._url(path)
            async with docker.session.request(
                method, url, params=params, json=body, data=content, headers=headers, timeout=limit
            ) as response:
                if response.status >= 400:
                    reason = _message(await response.text(errors="replace"))
                    raise (refusal or engine_error)(response.status, reason)
                yield response
        except TimeoutError as error:
            raise OrchestratorUnavailable(
                f"Docker did not answer {method} {path} within {timeout_seconds or _CONNECT_SECONDS:g} s."
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            docker.api_version = "auto"  # the daemon that comes back may be another version
            raise OrchestratorUnavailable(f"Docker does not answer: {_reason(error)}.") from error

    async def get_place(self, path: str) -> tuple[str, str]:
        """The Engine's host, as in DOCKER_HOST, and the versioned path of a request, for a connection of one's own."""
        url = await self._url(path)
        return self._docker_host or find_docker_host(os.environ), "/" + url.partition("://")[2].partition("/")[2]

    async def get_version(self) -> str:
        """The engine's version, within two seconds."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                answer: Document = await self.call("GET", "version")
        except TimeoutError as error:
            raise OrchestratorUnavailable(f"Docker did not answer within {_PING_SECONDS:g} s.") from error
        return str(answer["Version"])

    async def supports_init(self) -> bool:
        """Whether the daemon finds its init program (`docker-init`); asked once."""
        if self._supports_init is None:
            answer: Document = await self.call("GET", "info")
            self._supports_init = str(section(answer, "InitCommit").get("ID", "N/A")) != "N/A"
        return bool(self._supports_init)

    @property
    def _connected(self) -> Docker:
        assert self._docker is not None, "the orchestrator is used outside its session()"
        return self._docker

    async def _url(self, path: str) -> str:
        docker = self._connected
        if docker.api_version == "auto":
            try:
                await docker.version()
            except DockerError as error:
                raise OrchestratorUnavailable(f"Docker does not answer: {_reason(error)}.") from error
        return f"{docker.docker_host}/{docker.api_version}/{path}"

    def _connect(self) -> None:
        host = self._docker_host or find_docker_host(os.environ)
        if host.startswith("unix://"):
            # aiohttp's pool of 100 would be used up by as many followed logs
            self._connector = aiohttp.UnixConnector(host.removeprefix("unix://"), limit=0)
        try:
            url = host if self._connector is None else "unix://localhost"
            self._docker = Docker(url=url, connector=self._connector, api_version="auto")
        except (ValueError, OSError, ImportError) as error:
            raise OrchestratorUnavailable(f"The Docker host {host!r} cannot be used: {error}.") from error

    async def _close(self) -> None:
        docker, self._docker = self._docker, None
        connector, self._connector = self._connector, None
        if docker is not None:
            await docker.close()
        if connector is not None:
            await connector.close()


def section(document: Document, *keys: str) -> Document:
    """The object under `keys`, empty where the Engine left it out or wrote null."""
    for key in keys:
        document = document.get(key) or Document()
    return document


def find_docker_host(environment: Mapping[str, str]) -> str:
    """`DOCKER_HOST`, or the first usual socket that exists, or the standard one."""
    if host := environment.get("DOCKER_HOST"):
        return host
    places = [
        Path("/var/run/docker.sock"),
        Path(environment.get("XDG_RUNTIME_DIR", "/run")) / "docker.sock",
        Path(environment.get("HOME", "/root")) / ".docker/run/docker.sock",
    ]
    return f"unix://{next((place for place in places if place.is_socket()), places[0])}"


def engine_error(status: int, message: str) -> TowlineError:
    """The error of Towline's that an answer of the Engine stands for."""
    lowered = message.lower()
    text = f"Docker: {message.strip().rstrip('.')}."
    if "no space left on device" in lowered or "disk quota exceeded" in lowered:
        return DiskFull(text)
    if status == 404:
        return ImageNotFound(text) if "no such image" in lowered else NotFound(text)
    if status == 409:
        return Conflict(text)
    if status == 400 and "no command specified" in lowered:
        hint = "Give the image a CMD, or the service a start command (`--start-command`)."
        return InvalidInput("The image names no command to run.", hint=hint, field="start_command")
    if status == 400:
        is_command = "executable file not found" in lowered or "exec:" in lowered
        return InvalidInput(text, field="command" if is_command else None)
    return EngineRefused(text)


def _reason(error: Exception) -> str:
    """Why there is no connection, in the system's words where it says so."""
    origin = error.__context__ if isinstance(error, DockerError) else error
    if isinstance(origin, aiohttp.ClientConnectorError):
        return (origin.os_error.strerror or str(origin.os_error)).lower()
    return error.message if isinstance(error, DockerError) else "the connection was lost"


def _message(answer: str) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(answer)["message"])
    return answer[:500] or "no reason given"
