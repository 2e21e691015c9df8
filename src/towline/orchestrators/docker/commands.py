"""Commands: one in a fresh container of a release, or one inside a running instance."""

import asyncio
import math
import os
import signal
import time
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from towline.errors import TimedOut
from towline.names import new_id
from towline.orchestrators.docker.engine import Document, Engine
from towline.orchestrators.docker.files import put_files
from towline.orchestrators.docker.instances import list_containers, remove_container, undisturbed, with_container
from towline.orchestrators.docker.logs import FrameReader, follow_logs
from towline.orchestrators.docker.payloads import (
    COMMAND_LABEL,
    DEPLOYMENT_LABEL,
    OWNER_LABEL,
    command_labels,
    container_payload,
)
from towline.values import Instance, Report, RunSpec

_OUTPUT_LIMIT: Final = 4096
_KILL_SECONDS: Final = 30.0
_LAST_LINES_SECONDS: Final = 5.0
_PROCESS_SECONDS: Final = 2.0
_PROCESS_PAUSE_SECONDS: Final = 0.05


async def run_command(
    engine: Engine,
    spec: RunSpec,
    command: Sequence[str],
    *,
    installation_id: str,
    timeout_seconds: float,
    grace_seconds: float,
    report: Report,
) -> int:
    """Run a command in a fresh container that is always removed; report its lines, return its exit code."""
    # no alias: requests to the service's name are not for this container
    spec, command = replace(spec, aliases=()), command or spec.command
    command_id = new_id("cmd")
    labels = command_labels(spec, installation_id=installation_id, command_id=command_id)
    payload = container_payload(spec, labels=labels, with_init=await engine.supports_init(), command=command)
    name = f"towline-{spec.project}-{spec.service}-{spec.environment}-{command_id[-8:]}"

    async def run(engine_id: str) -> int:
        await put_files(engine, engine_id, spec.files)
        exit_code = await _run(
            engine, engine_id, timeout_seconds=timeout_seconds, grace_seconds=grace_seconds, report=report
        )
        await remove_container(engine, engine_id)
        return exit_code

    try:
        async with asyncio.timeout(timeout_seconds):
            return await with_container(engine, name, payload, run)
    except TimeoutError as error:
        name = f"The command {command[0]!r}" if command else "The program"
        raise TimedOut(f"{name} of {spec.service} took longer than {timeout_seconds:g} s.") from error


async def list_command_deployments(engine: Engine, *, installation_id: str) -> frozenset[str]:
    """The deployments that the command containers there are belong to."""
    rows = await list_containers(engine, [f"{OWNER_LABEL}={installation_id}", COMMAND_LABEL])
    return frozenset(row["Labels"].get(DEPLOYMENT_LABEL, "") for row in rows)


async def remove_commands(engine: Engine, *, installation_id: str, of_deployment: str | None) -> int:
    """Remove command containers, of one deployment or all; how many there were."""
    place = [] if of_deployment is None else [f"{DEPLOYMENT_LABEL}={of_deployment}"]
    rows = await list_containers(engine, [f"{OWNER_LABEL}={installation_id}", COMMAND_LABEL, *place])
    await asyncio.gather(*(remove_container(engine, row["Id"]) for row in rows))
    return len(rows)


async def execute(
    engine: Engine, instance: Instance, command: Sequence[str], *, timeout_seconds: float
) -> tuple[int, str]:
    """Run a command inside a running instance; exit code and the last 4 kB of output. It ends with its time limit."""
    body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
    created: Document = await engine.call("POST", f"containers/{instance.engine_id}/exec", body=body)
    try:
        async with asyncio.timeout(timeout_seconds):
            output = await _read_output(engine, created["Id"])
    except BaseException as error:
        await undisturbed(end_command(engine, created["Id"], instance.engine_id))
        if isinstance(error, TimeoutError):
            raise TimedOut(f"The command {command[0]!r} took longer than {timeout_seconds:g} s.") from error
        raise
    ended: Document = await engine.call("GET", f"exec/{created['Id']}/json")
    return int(ended["ExitCode"] or 0), output


def is_process_of(process_id: int, engine_id: str) -> bool:
    """Whether a process number of the Engine's is, on this machine, a process of that container."""
    try:
        return process_id > 0 and engine_id in Path(f"/proc/{process_id}/cgroup").read_text()
    except OSError:
        return False


async def _run(engine: Engine, engine_id: str, *, timeout_seconds: float, grace_seconds: float, report: Report) -> int:
    await engine.call("POST", f"containers/{engine_id}/start")
    reading = asyncio.create_task(_report_lines(engine, engine_id, report))
    try:
        await asyncio.shield(reading)
    except asyncio.CancelledError:
        if grace_seconds:
            await undisturbed(_stop(engine, engine_id, reading, grace_seconds=grace_seconds))
        raise
    finally:
        reading.cancel()
        await asyncio.wait([reading])
    ended: Document = await engine.call("POST", f"containers/{engine_id}/wait", timeout_seconds=timeout_seconds)
    return int(ended["StatusCode"])


async def _report_lines(engine: Engine, engine_id: str, report: Report) -> None:
    async with aclosing(follow_logs(engine, engine_id, since=None)) as lines:
        async for _, _, text in lines:
            await report(text)


async def _stop(engine: Engine, engine_id: str, reading: "asyncio.Task[None]", *, grace_seconds: float) -> None:
    """SIGTERM, then SIGKILL after the grace; what the program says at last is still reported."""
    await engine.call(
        "POST",
        f"containers/{engine_id}/stop",
        params={"t": str(math.ceil(grace_seconds))},
        timeout_seconds=grace_seconds + _KILL_SECONDS,
    )
    await asyncio.wait([reading], timeout=_LAST_LINES_SECONDS)


async def _read_output(engine: Engine, exec_id: str) -> str:
    frames = FrameReader()
    tail = b""
    async with engine.stream("POST", f"exec/{exec_id}/start", body={"Detach": False, "Tty": False}) as response:
        async for chunk in response.content.iter_any():
            for _, payload in frames.feed(chunk):
                tail = (tail + payload)[-_OUTPUT_LIMIT:]
    return tail.decode(errors="replace")


async def end_command(engine: Engine, exec_id: str, engine_id: str) -> None:
    """The Engine cannot end a command it has started, so this machine does, where the process is one of its own."""
    process_id = await _find_process(engine, exec_id)
    if is_process_of(process_id, engine_id):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process_id, signal.SIGKILL)


async def _find_process(engine: Engine, exec_id: str) -> int:
    """The process number of a command that runs, else 0; its output may come before the Engine knows the number."""
    deadline = time.monotonic() + _PROCESS_SECONDS
    while True:
        state: Document = await engine.call("GET", f"exec/{exec_id}/json")
        process_id = int(state.get("Pid") or 0)
        if not state.get("Running"):
            return 0
        if process_id or time.monotonic() > deadline:
            return process_id
        await asyncio.sleep(_PROCESS_PAUSE_SECONDS)
