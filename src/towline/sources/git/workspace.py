"""One fetch's folder and closed environment: where git runs, how far it may go, and what it may say."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from towline.errors import TooLarge
from towline.infra.contents import disk_errors
from towline.infra.processes import Finished, run_process
from towline.infra.scratch import measure_folder, scratch_folder
from towline.sources.base import FetchRequest
from towline.sources.git.environment import git_environment, has_proxy, ssh_command, write_home
from towline.sources.git.redirects import follow_redirects
from towline.sources.git.remotes import Remote, check_allowed
from towline.values import Report

Result = TypeVar("Result")
_SHORTEST_WATCH_SECONDS = 0.25
_MOST_REPOSITORIES = 100
_GRACE_SECONDS = 60  # The whole fetch has a time limit of its own, which must end first.


class Workspace:
    """Runs git for one request. `tree` receives the files; the objects stay in `objects`, apart from them.

    The credential is for the repository's own `origin`, whatever others its commits name.
    """

    def __init__(
        self, folder: Path, *, request: FetchRequest, origin: str, environment: dict[str, str], report: Report
    ) -> None:
        self.request = request
        self._origin = origin
        self.tree = folder / "tree"
        self.has_proxy = has_proxy(environment)
        self.uses_lfs = (
            bool(request.config.get("lfs")) and shutil.which("git-lfs", path=environment["PATH"]) is not None
        )
        self._objects = folder / "objects"
        self._environment = environment
        self._report = report
        self._repositories = 0
        self._files = 0
        self._bytes = 0

    def next_git_dir(self) -> Path:
        """The folder for the objects of one more repository; TooLarge when there are absurdly many."""
        self._repositories += 1
        if self._repositories > _MOST_REPOSITORIES:
            raise TooLarge(f"The repository has more than {_MOST_REPOSITORIES} submodules.")
        return self._objects / str(self._repositories)

    async def settle(self, remote: Remote, *, is_closed: bool = False) -> tuple[Remote, Sequence[str]]:
        """Where a repository is once redirects are followed, and the addresses git is held to.

        The credential is not shown to one that is closed to it, nor to another server. Behind a proxy addresses are the
        proxy's to check, and git follows redirects itself.
        """
        request = self.request
        if self.has_proxy:
            networks = request.closed_networks
            return remote, await check_allowed(remote, allows_local=request.allows_local, closed_networks=networks)
        is_known = remote.origin == self._origin and not is_closed
        return await follow_redirects(remote, request, credential=request.credential if is_known else None)

    def has_credential_for(self, remote: Remote) -> bool:
        """Whether the credential is shown to this remote."""
        credential = self.request.credential
        if credential is None:
            return False
        if remote.protocol == "ssh":
            return bool(credential.ssh_key)
        return bool(credential.password) and remote.origin == self._origin

    async def make_folder(self, folder: Path) -> None:
        """Make a folder unless a checkout around it has."""
        with disk_errors(f"Making the folder {folder.name}"):
            await asyncio.to_thread(folder.mkdir, exist_ok=True)

    async def report(self, line: str) -> None:
        """Pass a line on, without the credential."""
        await self._report(self._masked(line))

    async def run(self, *arguments: str, each: Callable[[str], Awaitable[None]] | None = None) -> Finished:
        """Run one git command; `each` gets every line of its output."""
        finished = await run_process(
            ["git", *arguments],
            timeout_seconds=self.request.timeout.total_seconds() + _GRACE_SECONDS,
            environment=self._environment,
            folder=self._objects.parent,
            report=each,
        )
        return Finished(finished.exit_code, self._masked(finished.tail))

    async def run_bounded(self, work: Awaitable[Result]) -> Result:
        """The result of `work`, which is cancelled with TooLarge once it has fetched more than the limit."""
        task = asyncio.ensure_future(work)
        watch = asyncio.ensure_future(self._watch())
        try:
            await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                watch.result()
            return await task
        finally:
            task.cancel()
            watch.cancel()
            await asyncio.gather(task, watch, return_exceptions=True)

    def count(self, size: int) -> None:
        """Add one file to what will be checked out; TooLarge above the request's limits."""
        self._files += 1
        self._bytes += size
        if self._files > self.request.max_files:
            raise TooLarge(f"The repository holds more than {self.request.max_files} files.")
        if self._bytes > self.request.max_bytes:
            raise TooLarge(f"The repository's files have more than {self.request.max_bytes} bytes.")

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            start = loop.time()
            _, size = await asyncio.to_thread(measure_folder, self._objects, stop_above_bytes=self.request.max_bytes)
            if size > self.request.max_bytes:
                raise TooLarge(f"Fetching took more than {self.request.max_bytes} bytes.")
            await asyncio.sleep(max(_SHORTEST_WATCH_SECONDS, 5 * (loop.time() - start)))

    def _masked(self, text: str) -> str:
        credential = self.request.credential
        return text.replace(credential.password, "••••") if credential and credential.password else text


@asynccontextmanager
async def open_workspace(
    scratch_dir: Path, remote: Remote, *, request: FetchRequest, known_hosts: Path | None, report: Report
) -> AsyncGenerator[Workspace]:
    """A workspace in a temporary folder. Unknown host keys are kept in `known_hosts`, when the caller has such a file.

    A credential that brings its own host keys trusts only those.
    """
    credential = request.credential
    async with scratch_folder(scratch_dir) as folder:
        home = folder / "home"
        with disk_errors("Preparing the fetch"):
            await asyncio.to_thread(write_home, home, credential=credential, allows_local=request.allows_local)
            await asyncio.to_thread((folder / "objects").mkdir)
        is_strict = bool(credential and credential.known_hosts)
        ssh = ssh_command(
            home,
            has_key=bool(credential and credential.ssh_key),
            known_hosts=home / "known_hosts" if is_strict or known_hosts is None else known_hosts,
            is_strict=is_strict,
        )
        environment = git_environment(
            home,
            inherited=os.environ,
            ssh=ssh,
            credential=credential,
            origin=remote.origin,
            allows_local=request.allows_local,
        )
        yield Workspace(folder, request=request, origin=remote.origin, environment=environment, report=report)
