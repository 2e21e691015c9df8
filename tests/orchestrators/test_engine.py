"""An engine that is absent, silent or lost; sockets of the test's own, no Docker."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

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
from towline.orchestrators.docker.engine import engine_error, find_docker_host
from towline.orchestrators.docker.orchestrator import DockerOrchestrator
from towline.values import RunSpec

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def engine_at(socket: Path, answer: Answer) -> AsyncGenerator[DockerOrchestrator]:
    """An orchestrator whose engine answers as the test says."""
    answering: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.append(task)
        await answer(reader, writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(serve, socket)
    orchestrator = DockerOrchestrator(docker_host=f"unix://{socket}", installation_id="x", network_pool="10.0.0.0/16")
    async with orchestrator.session():
        yield orchestrator
    server.close()
    await asyncio.gather(*answering, return_exceptions=True)


async def test_an_absent_engine_is_said_and_the_session_opens_all_the_same(tmp_path: Path) -> None:
    orchestrator = DockerOrchestrator(
        docker_host=f"unix://{tmp_path}/absent.sock", installation_id="x", network_pool="10.0.0.0/16"
    )
    async with orchestrator.session():
        with pytest.raises(OrchestratorUnavailable):
            await orchestrator.ping()
        with pytest.raises(OrchestratorUnavailable):
            await orchestrator.list_instances()


async def test_a_host_that_cannot_be_read_is_said() -> None:
    orchestrator = DockerOrchestrator(docker_host="nonsense", installation_id="x", network_pool="10.0.0.0/16")
    with pytest.raises(OrchestratorUnavailable, match="nonsense"):
        async with orchestrator.session():
            pass


async def test_a_silent_engine_is_given_up_after_two_seconds(tmp_path: Path) -> None:
    async def be_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with engine_at(tmp_path / "silent.sock", be_silent) as orchestrator:
        async with asyncio.timeout(4):
            with pytest.raises(OrchestratorUnavailable):
                await orchestrator.ping()


async def test_a_lost_stream_of_events_is_said(tmp_path: Path) -> None:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readline():
            while (await reader.readline()).strip():
                pass
            if b"/events" in request:
                break
            about = {"ApiVersion": "1.41", "Version": "20.10"}
            body = json.dumps([] if b"/containers/json" in request else about).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        await writer.drain()

    async with engine_at(tmp_path / "lost.sock", answer_once) as orchestrator:
        with pytest.raises(OrchestratorUnavailable):
            await anext(orchestrator.follow_events())


async def test_a_start_that_is_cancelled_while_the_engine_is_lost_stays_cancelled(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def vanish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readline():
            while (await reader.readline()).strip():
                pass
            if b"/create" in request:
                asked.set()
                await asyncio.sleep(0.2)
                return
            body = b'{"ApiVersion": "1.41", "InitCommit": {"ID": ""}}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)

    async with engine_at(tmp_path / "vanishing.sock", vanish) as orchestrator:
        spec = RunSpec("wl", "prj", "svc", "env", "rel", 1, "dep", "shop", "web", "production", "image", "network")
        task = asyncio.create_task(orchestrator.deploy(spec, count=2))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_session_may_be_held_twice(tmp_path: Path) -> None:
    orchestrator = DockerOrchestrator(
        docker_host=f"unix://{tmp_path}/absent.sock", installation_id="x", network_pool="10.0.0.0/16"
    )
    async with orchestrator.session():
        async with orchestrator.session():
            pass
        with pytest.raises(OrchestratorUnavailable):
            await orchestrator.ping()


def test_the_docker_host_is_found(tmp_path: Path) -> None:
    assert find_docker_host({"DOCKER_HOST": "tcp://10.0.0.1:2375"}) == "tcp://10.0.0.1:2375"
    assert find_docker_host({"HOME": str(tmp_path)}).startswith("unix:///")


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "No such image: x:1", ImageNotFound),
        (404, "No such container: x", NotFound),
        (409, "removal of container x is already in progress", Conflict),
        (400, "Minimum memory limit allowed is 6MB", InvalidInput),
        (500, "mkdir /var/lib/docker/x: no space left on device", DiskFull),
        (500, "something else", EngineRefused),
    ],
)
def test_refusals_become_towlines_errors(status: int, message: str, kind: type[TowlineError]) -> None:
    error = engine_error(status, message)
    assert type(error) is kind
    assert message in error.message


def test_an_image_without_a_command_is_said_in_words() -> None:
    error = engine_error(400, "No command specified")
    assert (error.message, error.field) == ("The image names no command to run.", "start_command")
    assert "--start-command" in error.hint
