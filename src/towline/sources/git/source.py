"""Source `git`: any repository that the git command line can fetch over https or ssh."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from towline.errors import InvalidInput, SourceUnavailable, TimedOut, TooLarge
from towline.infra.processes import Finished
from towline.infra.scratch import measure_folder
from towline.sources.base import FetchRequest, Source, StoreTree, WebhookEvent
from towline.sources.git.failures import Reason, fetch_failure, find_reason
from towline.sources.git.lfs import find_lfs_pointers
from towline.sources.git.remotes import Remote, check_ref, parse_remote
from towline.sources.git.repository import Checkout, Commit
from towline.sources.git.workspace import Workspace, open_workspace
from towline.sources.settings import check_keys, get_flag, get_text
from towline.sources.signatures import validate_signed_webhook
from towline.values import Bundle, Report

_KEYS = ("branch", "lfs", "subdirectory", "submodules", "url")
_NO_ACCESS = frozenset({Reason.NEEDS_CREDENTIAL, Reason.REFUSED, Reason.NO_REPOSITORY, Reason.HOST_KEY})


class GitSource(Source):
    """Fetches with the real git, shallowly, in a closed environment under `scratch_dir`.

    Host keys of SSH servers met for the first time are kept in `known_hosts`, when such a file is given.
    """

    kind: ClassVar[str] = "git"

    def __init__(self, store_tree: StoreTree, scratch_dir: Path, *, known_hosts: Path | None = None) -> None:
        self._store_tree = store_tree
        self._scratch_dir = scratch_dir
        self._known_hosts = known_hosts

    def validate_config(self, config: Mapping[str, object]) -> dict[str, object]:
        """`url`, and optionally `branch`, `subdirectory`, `submodules` (false) and `lfs` (true)."""
        check_keys(config, _KEYS)
        return {
            "url": parse_remote(get_text(config, "url")).url,
            "branch": check_ref(get_text(config, "branch"), field="branch"),
            "subdirectory": check_subdirectory(get_text(config, "subdirectory")),
            "submodules": get_flag(config, "submodules"),
            "lfs": config.get("lfs") is None or get_flag(config, "lfs"),
        }

    async def authenticate(self, request: FetchRequest) -> bool:
        """Whether the repository can be read with the credential, or without one when none is given."""
        remote, _ = self._target(request)
        listed = await self._list_remote(remote, request, "HEAD")
        if listed.exit_code and find_reason(listed.tail) not in _NO_ACCESS:
            raise fetch_failure(remote, output=listed.tail, ref="", has_credential=request.credential is not None)
        return listed.exit_code == 0

    async def fetch_source(self, request: FetchRequest, report: Report) -> Bundle:
        """Fetch the ref (or the configured branch, or the default one) and store its tree without `.git`."""
        request_ref = check_ref(request.request_ref, field="request_ref")
        request = replace(request, config=self.validate_config(request.config), request_ref=request_ref)
        remote, ref = self._target(request)
        async with _bounded_time(remote, request), self._open(remote, request, report) as workspace:
            await report(f"Fetching {ref or 'the default branch'} from {remote.url}")
            checkout = Checkout(workspace, remote, workspace.next_git_dir(), workspace.tree)
            commit = await workspace.run_bounded(checkout.run(ref))
            return await self._store(workspace, commit)

    def validate_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent | None:
        """Towline's own signed webhook."""
        return validate_signed_webhook(headers, body, secret=secret)

    def _target(self, request: FetchRequest) -> tuple[Remote, str]:
        config = self.validate_config(request.config)
        remote = parse_remote(str(config["url"]))
        return remote, check_ref(request.ref) or str(config["branch"])

    def _open(self, remote: Remote, request: FetchRequest, report: Report) -> AbstractAsyncContextManager[Workspace]:
        return open_workspace(self._scratch_dir, remote, request=request, known_hosts=self._known_hosts, report=report)

    async def _list_remote(self, remote: Remote, request: FetchRequest, *patterns: str) -> Finished:
        async with _bounded_time(remote, request), self._open(remote, request, _say_nothing) as workspace:
            settled, _ = await workspace.settle(remote)
            return await workspace.run("ls-remote", "--quiet", "--", settled.url, *patterns)

    async def _store(self, workspace: Workspace, commit: Commit) -> Bundle:
        subdirectory = str(workspace.request.config["subdirectory"])
        tree = await asyncio.to_thread(find_subfolder, workspace.tree, subdirectory)
        if tree is None:
            raise SourceUnavailable(
                f"There is no folder {subdirectory!r} in commit {commit.revision[:12]}.",
                hint="Correct the sub-directory in the service's source.",
            )
        await self._check_lfs(workspace)
        digest, size = await self._store_tree(tree)
        return Bundle(digest, commit.revision, size, message=commit.message, author=commit.author)

    async def _check_lfs(self, workspace: Workspace) -> None:
        """Say so when files are still LFS pointers, and hold what LFS brought to the limit."""
        if workspace.uses_lfs:
            _, size = await asyncio.to_thread(measure_folder, workspace.tree)
            if size > workspace.request.max_bytes:
                raise TooLarge(f"The repository's files have more than {workspace.request.max_bytes} bytes.")
        pointers = await asyncio.to_thread(find_lfs_pointers, workspace.tree)
        if pointers:
            await workspace.report(
                f"{len(pointers)} files are only Git LFS pointers, {pointers[0]!r} among them: install git-lfs on this "
                "machine and switch lfs on for this source to get their contents"
            )


@asynccontextmanager
async def _bounded_time(remote: Remote, request: FetchRequest) -> AsyncGenerator[None]:
    seconds = request.timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TimedOut(
            f"Fetching from {remote.url} took longer than {seconds:g} s.",
            hint="Check that the server answers, or raise the time limit for fetching in the settings.",
        ) from error


def check_subdirectory(value: str) -> str:
    """Return a path inside a repository, without what means nothing; InvalidInput otherwise."""
    parts = [part for part in value.split("/") if part not in {"", "."}]
    if ".." in parts or value.startswith("/") or any(character in value for character in "\r\n\t"):
        raise InvalidInput(f"subdirectory {value[:200]!r} is not a path inside the repository.", field="subdirectory")
    return "/".join(parts)


def find_subfolder(tree: Path, subdirectory: str) -> Path | None:
    """The folder in a tree, None when it is none or a link that leads out. Blocks."""
    folder = (tree / subdirectory).resolve()
    return folder if folder.is_dir() and folder.is_relative_to(tree.resolve()) else None


async def _say_nothing(_line: str) -> None:
    """Listing refs is not worth a line in a deployment's log."""
