"""Repositories in a folder of this machine, served by the real git."""

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from towline.errors import InvalidInput, NotInstalled, TowlineError, Unavailable
from towline.infra.contents import disk_errors
from towline.infra.processes import child_process, run_process
from towline.infra.scratch import measure_folder, scratch_folder
from towline.storage.base import GitAnswer, GitCall, PushGate, Repositories
from towline.storage.repositories.dialog import attended
from towline.storage.repositories.lock import RepositoryLock
from towline.storage.repositories.options import HOOK_SCRIPT, call_environment, git_command, git_environment

_NAME: Final = re.compile(r"[a-z0-9_]{1,64}")
_CHUNK: Final = 64 * 1024
_LONGEST_HEAD: Final = 16 * 1024
_END_SECONDS: Final = 30.0
_TIDY_SECONDS: Final = 600.0


class LocalRepositories(Repositories):
    """Keeps `NAME.git` in a folder of its own (0700); `scratch_dir` is on the same file system."""

    def __init__(self, folder: Path, scratch_dir: Path, *, max_push_bytes: int, longest_push: timedelta) -> None:
        self._folder = folder
        self._scratch_dir = scratch_dir
        self._max_push_bytes = max_push_bytes
        self._longest_push = longest_push

    async def prepare(self, name: str, *, branch: str) -> None:
        repository = self._path(name)
        with disk_errors("Making the repository"):
            await asyncio.to_thread(self._write_hook)
        if not await asyncio.to_thread((repository / "HEAD").is_file):
            await self._create(repository)
        with disk_errors("Making the repository"):
            await asyncio.to_thread(_write_head, repository, branch)

    @asynccontextmanager
    async def serve(
        self, name: str, call: GitCall, body: AsyncIterator[bytes], *, gate: PushGate
    ) -> AsyncGenerator[GitAnswer]:
        repository = self._path(name)
        lock = RepositoryLock(self._folder / f"{name}.lock", longest_seconds=self._longest_push.total_seconds())
        async with AsyncExitStack() as stack:
            stack.callback(lock.release)
            ours, theirs = socket.socketpair()
            with theirs:
                process = await stack.enter_async_context(
                    child_process(
                        self._git(repository, "http-backend"),
                        environment=call_environment(self._folder, name, call, gate=theirs.fileno()),
                        folder=self._folder,
                        takes_input=True,
                        joins_errors=False,
                        pass_fds=[theirs.fileno()],
                    )
                )
            await stack.enter_async_context(attended(ours, gate, lock, repository=repository))
            feeding = asyncio.create_task(_feed(process, body), name=f"push to {name}")
            stack.push_async_callback(_cancel, feeding)
            status, media_type = await _read_head(process)
            yield GitAnswer(status, media_type, _read_rest(process))

    async def measure(self, name: str) -> int:
        _, size = await asyncio.to_thread(measure_folder, self._path(name))
        return size

    async def tidy(self, name: str, *, at_once: bool = False) -> None:
        repository = self._path(name)
        options = () if at_once else ("--auto",)
        await run_process(
            self._git(repository, f"--git-dir={repository}", "gc", "--quiet", *options),
            timeout_seconds=_TIDY_SECONDS,
            environment=git_environment(self._folder),
            folder=self._folder,
        )

    async def list_names(self) -> Sequence[str]:
        return await asyncio.to_thread(_list_names, self._folder)

    async def remove(self, name: str) -> None:
        repository = self._path(name)
        async with scratch_folder(self._scratch_dir) as scratch:
            with disk_errors("Removing the repository"), contextlib.suppress(FileNotFoundError):
                # Out of the way in one step; what is left of it after a crash is removed with the scratch folder.
                await asyncio.to_thread(repository.rename, scratch / "repository")
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread((self._folder / f"{name}.lock").unlink)

    async def _create(self, repository: Path) -> None:
        async with scratch_folder(self._scratch_dir) as scratch:
            made = await run_process(
                self._git(scratch / "new", "init", "--quiet", "--bare", "--template=", "--", str(scratch / "new")),
                timeout_seconds=_END_SECONDS,
                environment=git_environment(self._folder),
            )
            if made.exit_code:
                raise Unavailable(f"git could not make a repository: {made.tail[:500]}")
            with disk_errors("Making the repository"):
                await asyncio.to_thread(_move, scratch / "new", repository)

    def _git(self, repository: Path, *arguments: str) -> Sequence[str]:
        hooks = self._folder / "hooks"
        return git_command(repository, *arguments, hooks=hooks, max_bytes=self._max_push_bytes)

    def _write_hook(self) -> None:
        """The gate stands before every push: git passes over a hook that it cannot run, so that is looked at first."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        hooks = self._folder / "hooks"
        hooks.mkdir(exist_ok=True, mode=0o700)
        path = hooks / "pre-receive"
        if not path.is_file() or path.read_text() != HOOK_SCRIPT:
            temporary = hooks / f"{os.getpid()}.{time.monotonic_ns()}"
            temporary.write_text(HOOK_SCRIPT)
            temporary.chmod(0o700)
            temporary.rename(path)
        if not os.access(path, os.X_OK):
            raise Unavailable("Programs in the data folder cannot be run.", hint="Mount it without `noexec`.")

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name[:100]!r} is not the name of a repository.")
        return self._folder / f"{name}.git"


async def _feed(process: asyncio.subprocess.Process, body: AsyncIterator[bytes]) -> None:
    """Pass the request on; git finds out by itself when less comes than was announced."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionError, TowlineError):
        async for chunk in body:
            process.stdin.write(chunk)
            await process.stdin.drain()
    process.stdin.close()


async def _read_head(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """Status and media type from the CGI header (RFC 3875, section 6.3)."""
    assert process.stdout is not None
    headers: dict[str, str] = {}
    length = 0
    while line := (await process.stdout.readline()).strip():
        length += len(line)
        if length > _LONGEST_HEAD:
            break
        key, _, value = line.decode("latin-1").partition(":")
        headers[key.strip().lower()] = value.strip()
    if "content-type" not in headers and "status" not in headers:
        raise NotInstalled("git cannot answer over HTTP here.", hint="Install git with `git http-backend`.")
    status = headers.get("status", "200")[:3]
    return int(status) if status.isdecimal() else 500, headers.get("content-type", "text/plain")


async def _read_rest(process: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    assert process.stdout is not None
    while chunk := await process.stdout.read(_CHUNK):
        yield chunk
    # A branch is moved before git says so; git still has to put its quarantine away.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _write_head(repository: Path, branch: str) -> None:
    wanted = f"ref: refs/heads/{branch}\n"
    head = repository / "HEAD"
    if head.read_text() != wanted:
        temporary = repository / f"HEAD.{os.getpid()}.{time.monotonic_ns()}"
        temporary.write_text(wanted)
        temporary.rename(head)


def _list_names(folder: Path) -> Sequence[str]:
    return sorted(path.stem for path in folder.glob("*.git") if _NAME.fullmatch(path.stem))


def _move(source: Path, target: Path) -> None:
    """Put a finished folder in its place; one that somebody else has put there meanwhile stays."""
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise
