"""Child processes: argument lists only, own process group, bounded output, dead within seconds of a cancel."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from towline.errors import NotInstalled, TimedOut

_LINE_LIMIT = 64 * 1024
_KILL_AFTER_SECONDS = 2.0
LineReport = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child process ended: `exit_code` is negative for a signal; `tail` is the last output, at most 16 kB."""

    exit_code: int
    tail: str


@asynccontextmanager
async def child_process(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    takes_input: bool = False,
    joins_errors: bool = True,
    pass_fds: Sequence[int] = (),
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start a child in its own process group, standard error joined to its output; its group is dead on leaving.

    `environment` is the whole environment of the child (None: this process's own). Where errors are not joined they
    go where this process's own go. Raises NotInstalled when the program is not installed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *_dying_with_us(arguments),
            stdin=asyncio.subprocess.PIPE if takes_input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if joins_errors else None,
            pass_fds=pass_fds,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
    except FileNotFoundError as error:
        raise NotInstalled(f"The program {arguments[0]!r} is not installed.") from error
    try:
        yield process
    finally:
        await asyncio.shield(_end(process))


async def run_process(
    arguments: Sequence[str],
    *,
    timeout_seconds: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    report: LineReport | None = None,
    stdin: bytes | None = None,
) -> Finished:
    """Run a child to its end, reporting every line as it comes; TimedOut when it takes too long.

    Cancelling the task kills the child's whole group.
    """
    tail: list[str] = []
    try:
        async with asyncio.timeout(timeout_seconds):
            async with child_process(
                arguments, environment=environment, folder=folder, takes_input=stdin is not None
            ) as process:
                if stdin is not None:
                    await _feed(process, stdin)
                async for line in read_lines(process):
                    tail = [*tail[-199:], line[:4000]]
                    if report is not None:
                        await report(line)
                exit_code = await process.wait()
    except TimeoutError as error:
        raise TimedOut(f"{Path(arguments[0]).name} took longer than {timeout_seconds:g} s.") from error
    return Finished(exit_code, "\n".join(tail)[-16_384:])


async def read_lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """Lines of a child's output without their ends; carriage returns end a line; over-long lines come in pieces."""
    assert process.stdout is not None
    pending = b""
    while chunk := await process.stdout.read(_LINE_LIMIT):
        *lines, pending = (pending + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
        if len(pending) > _LINE_LIMIT:
            yield pending.decode(errors="replace")
            pending = b""
    if pending:
        yield pending.decode(errors="replace")


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_KILL_AFTER_SECONDS):
                await process.wait()
    _signal_group(process.pid, signal.SIGKILL)
    await _drain(process)
    await process.wait()


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Read what is left, bounded in time: asyncio frees the pipe only once its end was seen."""
    assert process.stdout is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while await process.stdout.read(_LINE_LIMIT):
                continue


def _dying_with_us(arguments: Sequence[str]) -> Sequence[str]:
    """The same command, which the kernel ends when this process is killed (setpriv(1) of util-linux, where it is)."""
    found = shutil.which("setpriv")
    if found is None or shutil.which(arguments[0]) is None:
        return arguments
    return [found, "--pdeathsig", "KILL", "--", *arguments]


def _signal_group(process_id: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process_id, number)
