"""Fetching and checking out one repository, and the submodules inside it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from towline.errors import BundleRejected
from towline.infra.processes import Finished
from towline.sources.git.failures import Reason, fetch_failure, find_reason, ref_missing
from towline.sources.git.remotes import (
    Remote,
    candidate_refs,
    is_commit,
    resolve_submodule,
)
from towline.sources.git.workspace import Workspace
from towline.values import Report

_FETCHED = "refs/towline/fetched"
_DEEPEST = 8
_ENTRY = re.compile(r"(?P<mode>\d{6}) (?P<kind>\w+) (?P<id>[0-9a-f]{40,64}) +(?P<size>\d+|-)\t(?P<path>.*)")


@dataclass(frozen=True, slots=True)
class Commit:
    """What was checked out."""

    revision: str
    author: str
    message: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """One repository being fetched into `tree`; `depth` counts the repositories around it."""

    workspace: Workspace
    remote: Remote
    git_dir: Path
    tree: Path
    depth: int = 0

    async def run(self, ref: str) -> Commit:
        """Fetch a ref and write its files, submodules included when they are wanted."""
        remote, pinned = await self.workspace.settle(self.remote, is_closed=self._is_named_by_stranger)
        if remote != self.remote:
            await self.workspace.report(f"Redirected to {remote.url}")
            return await replace(self, remote=remote).check_out(ref, pinned)
        return await self.check_out(ref, pinned)

    async def check_out(self, ref: str, pinned: Sequence[str]) -> Commit:
        """The same at an address that was checked: redirects are behind, and `pinned` is where the host is."""
        await self._create(ref)
        await self._fetch(ref, self._network_options(pinned))
        commit = await self._get_commit(ref)
        modules = await self._measure(commit.revision)
        await self._write_files(commit.revision)
        if modules and self.workspace.request.config.get("submodules"):
            await self._add_submodules(commit.revision, modules)
        return commit

    async def _create(self, ref: str) -> None:
        form = "sha256" if is_commit(ref) and len(ref) == 64 else "sha1"
        created = await self.workspace.run(
            "init", "--quiet", "--bare", "--template=", f"--object-format={form}", "--", str(self.git_dir)
        )
        self._check(created, ref)

    async def _fetch(self, ref: str, options: Sequence[str]) -> None:
        """Try the names a ref may have, one commit deep."""
        fetched = Finished(1, "")
        for name in candidate_refs(ref):
            fetched = await self._fetch_refs(options, "--depth=1", f"+{name}:{_FETCHED}")
            if not _is_missing(fetched):
                break
        if is_commit(ref) and _is_missing(fetched):
            fetched = await self._fetch_around(ref, options)
        self._check(fetched, ref)

    async def _fetch_around(self, commit: str, options: Sequence[str]) -> Finished:
        """Fetch what holds a commit that is refused by itself: the head of its request, else the whole history."""
        said = "The server does not give out single commits; fetching"
        request_ref = "" if self.depth else self.workspace.request.request_ref
        if request_ref:
            await self.workspace.report(f"{said} {request_ref}")
            fetched = await self._fetch_refs(options, "--no-tags", f"+{request_ref}:refs/towline/request")
            if not _is_missing(fetched) and (fetched.exit_code or await self._has(commit)):
                return fetched
        await self.workspace.report(f"{said} the whole history")
        return await self._fetch_refs(
            options, "--no-tags", "+refs/heads/*:refs/towline/heads/*", "+refs/tags/*:refs/towline/tags/*"
        )

    async def _has(self, commit: str) -> bool:
        return (await self._git("cat-file", "-e", f"{commit}^{{commit}}")).exit_code == 0

    async def _fetch_refs(self, options: Sequence[str], first: str, *refspecs: str) -> Finished:
        fixed = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance")
        return await self._git(*options, "fetch", *fixed, first, "--", self.remote.url, *refspecs)

    async def _get_commit(self, ref: str) -> Commit:
        name = ref if is_commit(ref) else _FETCHED
        shown = await self._git("log", "-1", "--no-show-signature", "--format=%H%n%an%n%s", name, "--")
        lines = shown.tail.split("\n")
        if shown.exit_code or not is_commit(lines[0]):
            raise ref_missing(self.remote, ref)
        author, message = (*lines[1:3], "", "")[:2]
        return Commit(lines[0], _printable(author), _printable(message))

    async def _measure(self, revision: str) -> dict[str, str]:
        """Count every file before one is written; return the commit of each submodule by its path."""
        modules: dict[str, str] = {}

        async def count(line: str) -> None:
            found = _ENTRY.match(line)
            if found is None:
                return
            self.workspace.count(0 if found["size"] == "-" else int(found["size"]))
            if found["kind"] == "commit":
                modules[found["path"]] = found["id"]

        listed = await self._git("ls-tree", "-r", "-l", "--full-tree", revision, each=count)
        self._check(listed, revision)
        return modules

    async def _write_files(self, revision: str) -> None:
        await self.workspace.make_folder(self.tree)
        written = await self._git(
            f"--work-tree={self.tree}", *self._lfs_options(), "read-tree", "--reset", "-u", revision
        )
        self._check(written, revision)

    async def _add_submodules(self, revision: str, modules: dict[str, str]) -> None:
        if self.depth >= _DEEPEST:
            raise BundleRejected(f"The submodules of {self.remote.url} are nested more than {_DEEPEST} deep.")
        addresses = await self._list_addresses(revision)
        for path, commit in modules.items():
            if path not in addresses:
                await self.workspace.report(f"The submodule {path!r} has no address in .gitmodules; it stays empty")
                continue
            remote = resolve_submodule(self.remote, addresses[path], name=path)
            if self.workspace.request.is_foreign and remote.protocol == "ssh":
                await self.workspace.report(f"The submodule {path!r} of a fork is not fetched over ssh; it stays empty")
                continue
            await self.workspace.report(f"Fetching the submodule {path} from {remote.url}")
            inner = Checkout(
                self.workspace, remote, self.workspace.next_git_dir(), self.tree / path, depth=self.depth + 1
            )
            await inner.run(commit)

    async def _list_addresses(self, revision: str) -> dict[str, str]:
        """The address of each submodule by its path."""
        lines: list[str] = []

        async def keep(line: str) -> None:
            lines.append(line)

        blob = f"--blob={revision}:.gitmodules"
        await self._git("config", "-z", blob, "--get-regexp", r"^submodule\..*\.(path|url)$", each=keep)
        entries = (entry.partition("\n") for entry in "\n".join(lines).split("\0"))
        values = {key: value for key, _, value in entries}
        paths = {key.removesuffix(".path"): value for key, value in values.items() if key.endswith(".path")}
        return {path: values[f"{name}.url"] for name, path in paths.items() if f"{name}.url" in values}

    async def _git(self, *arguments: str, each: Report | None = None) -> Finished:
        closed = ("-c", "credential.helper=") if self._is_named_by_stranger else ()
        return await self.workspace.run(*closed, f"--git-dir={self.git_dir}", *arguments, each=each)

    @property
    def _is_named_by_stranger(self) -> bool:
        """Whether a fork chose this repository, so that the project's credential is not for it."""
        return self.depth > 0 and self.workspace.request.is_foreign

    def _network_options(self, addresses: Sequence[str]) -> Sequence[str]:
        """Hold git to the addresses that were checked, so that the name cannot lead elsewhere a moment later."""
        if not addresses or self.remote.protocol == "ssh" or self.workspace.has_proxy:
            return ()
        listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
        return ("-c", f"http.curloptResolve={self.remote.host}:{self.remote.port or 443}:{listed}")

    def _lfs_options(self) -> Sequence[str]:
        if not self.workspace.uses_lfs:
            return ()
        settings = {
            "filter.lfs.process": "git-lfs filter-process",
            "filter.lfs.smudge": "git-lfs smudge -- %f",
            "filter.lfs.required": "true",
            "remote.origin.url": self.remote.url,
        }
        if self.remote.protocol in {"https", "http"}:
            # A fixed address, so that a file in the repository cannot choose another.
            settings["lfs.url"] = f"{self.remote.url.rstrip('/').removesuffix('.git')}.git/info/lfs"
        return [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]

    def _check(self, finished: Finished, ref: str) -> None:
        if finished.exit_code == 0:
            return
        has_credential = not self._is_named_by_stranger and self.workspace.has_credential_for(self.remote)
        raise fetch_failure(self.remote, output=finished.tail, ref=ref, has_credential=has_credential)


def _is_missing(fetched: Finished) -> bool:
    return fetched.exit_code != 0 and find_reason(fetched.tail) is Reason.NO_REF


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:500]
