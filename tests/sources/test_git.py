"""Fetching from real git servers: what arrives, what is refused, and what never leaks."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.sources.conftest import Reported
from tests.sources.servers import GitServer, Repository, create_repository, serve_git, serve_silence

from towline.errors import BundleRejected, InvalidInput, SourceUnavailable, TimedOut, TooLarge
from towline.sources.base import FetchRequest
from towline.sources.git.source import GitSource
from towline.storage.local import LocalStorage
from towline.values import Credential

SECRET = "s3cr3t-t0ken-of-the-shop"


def a_request(url: str, ref: str = "", **config: object) -> FetchRequest:
    return FetchRequest(config={"url": url, **config}, ref=ref, allows_local=True, timeout=timedelta(seconds=20))


def paths_in(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


async def fetched_paths(storage: LocalStorage, digest: str) -> set[str]:
    async with storage.open_bundle(digest) as tree:
        return paths_in(tree)


def command_lines() -> Sequence[str]:
    """What any user of this machine sees in the list of processes."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().decode(errors="replace").replace("\0", " "))
    return found


async def wait_until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(is_true):  # noqa: ASYNC110 - it happens in other processes
            await asyncio.sleep(0.02)


class TestFetch:
    """What arrives."""

    async def test_default_branch_arrives_without_its_history(
        self, source: GitSource, storage: LocalStorage, repository: Repository, report: Reported, scratch: Path
    ) -> None:
        bundle = await source.fetch_source(a_request(repository.url), report)
        assert bundle.revision == repository.git("rev-parse", "HEAD")
        assert (bundle.author, bundle.message) == ("Ada Lovelace", "Open the shop")
        assert await fetched_paths(storage, bundle.digest) == {"Dockerfile", "web/index.html"}
        assert is_empty(scratch)

    async def test_branch_tag_annotated_tag_and_commit_are_told_apart(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        first = repository.git("rev-parse", "HEAD")
        repository.git("tag", "v1")
        repository.git("tag", "-a", "-m", "Second", "v1-signed")
        repository.git("checkout", "-q", "-b", "feature/ünïcode")
        second = repository.commit(Dockerfile="FROM busybox\n")
        for ref, revision in {
            "main": first,
            "v1": first,
            "v1-signed": first,
            "refs/tags/v1-signed": first,
            "feature/ünïcode": second,
            first: first,
            second: second,
        }.items():
            request = a_request(repository.url, ref)
            assert (await source.fetch_source(request, report)).revision == revision
            assert await source.get_revision(request) == revision

    async def test_branch_wins_over_a_tag_of_the_same_name(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        repository.git("tag", "both")
        repository.git("checkout", "-q", "-b", "both")
        revision = repository.commit(Dockerfile="FROM busybox\n")
        request = a_request(repository.url, "both")
        assert (await source.fetch_source(request, report)).revision == revision
        assert await source.get_revision(request) == revision

    async def test_configured_branch_is_the_default(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        main = repository.git("rev-parse", "HEAD")
        repository.git("checkout", "-q", "-b", "next")
        repository.commit(Dockerfile="FROM busybox\n")
        bundle = await source.fetch_source(a_request(repository.url, branch="main"), report)
        assert bundle.revision == main

    async def test_same_tree_in_another_commit_has_the_same_digest(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        first = await source.fetch_source(a_request(repository.url), report)
        repository.commit_all("Nothing changed")
        second = await source.fetch_source(a_request(repository.url), report)
        assert first.digest == second.digest
        assert first.revision != second.revision

    async def test_subdirectory_is_all_that_is_stored(
        self, source: GitSource, storage: LocalStorage, repository: Repository, report: Reported
    ) -> None:
        bundle = await source.fetch_source(a_request(repository.url, subdirectory="./web/"), report)
        assert await fetched_paths(storage, bundle.digest) == {"index.html"}

    async def test_missing_subdirectory_is_named(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        (repository.folder / "out").symlink_to("/etc")
        repository.commit_all()
        for folder in ("api", "out", "Dockerfile"):
            with pytest.raises(SourceUnavailable, match=folder):
                await source.fetch_source(a_request(repository.url, subdirectory=folder), report)

    async def test_modes_links_and_odd_names_arrive_as_they_are(
        self, source: GitSource, storage: LocalStorage, repository: Repository, report: Reported
    ) -> None:
        names = ["-leading", "with space", "line\nend", "ünïcode", 'quo"te']
        for name in names:
            (repository.folder / name).write_text(name)
        (repository.folder / "run").write_text("#!/bin/sh\n")
        (repository.folder / "run").chmod(0o755)
        (repository.folder / "link").symlink_to("web/index.html")
        repository.commit_all()
        bundle = await source.fetch_source(a_request(repository.url), report)
        async with storage.open_bundle(bundle.digest) as tree:
            assert {*names, "run", "link"} < paths_in(tree)
            assert os.access(tree / "run", os.X_OK)
            assert (tree / "link").readlink() == Path("web/index.html")

    async def test_link_out_of_the_repository_is_rejected(
        self, source: GitSource, repository: Repository, report: Reported, scratch: Path
    ) -> None:
        (repository.folder / "passwords").symlink_to("../../../../etc/passwd")
        repository.commit_all()
        with pytest.raises(BundleRejected, match="passwords"):
            await source.fetch_source(a_request(repository.url), report)
        assert is_empty(scratch)


class TestHttp:
    """A server that speaks HTTP, with and without a password."""

    async def test_password_opens_a_private_repository_and_is_seen_nowhere(
        self, source: GitSource, repository: Repository, server: GitServer, report: Reported, scratch: Path
    ) -> None:
        leaks: list[str] = []

        def look() -> None:
            leaks.extend(line for line in command_lines() if SECRET in line)
            leaks.extend(
                str(path) for path in scratch.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
            )

        server.require("deploy", SECRET)
        server.on_request = look
        request = replace(a_request(f"{server.url}/shop/.git"), credential=Credential("deploy", SECRET))
        bundle = await source.fetch_source(request, report)
        assert bundle.revision == repository.git("rev-parse", "HEAD")
        assert len(server.seen) > 2
        assert not leaks
        assert not any(SECRET in line for line in report.lines)
        assert await source.authenticate(request)

    async def test_missing_and_wrong_passwords_say_what_to_do(
        self, source: GitSource, repository: Repository, server: GitServer, report: Reported
    ) -> None:
        server.require("deploy", SECRET)
        request = a_request(f"{server.url}/shop/.git")
        with pytest.raises(SourceUnavailable, match="asks for a user name and password") as missing:
            await source.fetch_source(request, report)
        assert "credential" in missing.value.hint
        wrong = replace(request, credential=Credential("deploy", "wrong-password"))
        with pytest.raises(SourceUnavailable, match="refused the credential") as refused:
            await source.fetch_source(wrong, report)
        assert "wrong-password" not in str(refused.value)
        assert not await source.authenticate(request)
        assert not await source.authenticate(wrong)

    async def test_password_does_not_follow_a_redirect_to_another_server(
        self, source: GitSource, repository: Repository, server: GitServer, served: Path, report: Reported
    ) -> None:
        with serve_git(served) as other:
            other.require("deploy", SECRET)
            server.redirect_to = other.url
            request = replace(a_request(f"{server.url}/shop/.git"), credential=Credential("deploy", SECRET))
            with pytest.raises(SourceUnavailable):
                await source.fetch_source(request, report)
            assert other.seen
            assert set(other.seen) == {""}

    async def test_redirect_to_another_protocol_is_refused(
        self, source: GitSource, repository: Repository, server: GitServer, served: Path, report: Reported
    ) -> None:
        server.redirect_to = f"file://{served}"
        with pytest.raises(SourceUnavailable):
            await source.fetch_source(a_request(f"{server.url}/shop/.git"), report)

    async def test_repository_that_is_not_there_is_named(
        self, source: GitSource, server: GitServer, served: Path, report: Reported
    ) -> None:
        for url in (f"{server.url}/nothing/.git", f"file://{served}/nothing"):
            with pytest.raises(SourceUnavailable, match=r"no repository at .*/nothing"):
                await source.fetch_source(a_request(url), report)
            assert not await source.authenticate(a_request(url))

    async def test_missing_ref_is_named(
        self, source: GitSource, repository: Repository, server: GitServer, report: Reported
    ) -> None:
        for ref in ("no/such-branch", "0" * 39 + "1"):
            for url in (f"{server.url}/shop/.git", repository.url):
                with pytest.raises(SourceUnavailable, match=ref):
                    await source.fetch_source(a_request(url, ref), report)

    async def test_empty_repository_says_so(
        self, source: GitSource, server: GitServer, served: Path, report: Reported
    ) -> None:
        create_repository(served / "empty")
        with pytest.raises(SourceUnavailable, match="no commit yet"):
            await source.fetch_source(a_request(f"{server.url}/empty/.git"), report)
        with pytest.raises(SourceUnavailable, match="no commit yet"):
            await source.get_revision(a_request(f"{server.url}/empty/.git"))

    async def test_commit_is_found_in_the_history_when_the_server_gives_no_single_commits(
        self, source: GitSource, repository: Repository, server: GitServer, report: Reported
    ) -> None:
        server.passes_protocol = False
        first = repository.git("rev-parse", "HEAD")
        repository.commit(Dockerfile="FROM busybox\n")
        bundle = await source.fetch_source(a_request(f"{server.url}/shop/.git", first), report)
        assert bundle.revision == first
        assert any("whole history" in line for line in report.lines)

    async def test_server_that_is_no_git_server_is_named(self, source: GitSource, report: Reported) -> None:
        with serve_silence() as url:
            closed = url
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            await source.fetch_source(a_request(closed), report)


class TestLimits:
    """Time and size."""

    async def test_server_that_never_answers_runs_out_of_time(
        self, source: GitSource, report: Reported, scratch: Path
    ) -> None:
        with serve_silence() as url:
            start = time.monotonic()
            with pytest.raises(TimedOut, match=r"127\.0\.0\.1"):
                await source.fetch_source(replace(a_request(url), timeout=timedelta(seconds=0.5)), report)
            assert time.monotonic() - start < 4
        assert is_empty(scratch)
        assert not [line for line in command_lines() if url in line]

    async def test_cancelled_fetch_leaves_no_process_and_no_file(
        self, source: GitSource, report: Reported, scratch: Path
    ) -> None:
        with serve_silence() as url:
            task = asyncio.create_task(source.fetch_source(a_request(url), report))
            await wait_until(lambda: [line for line in command_lines() if url in line and "remote" in line])
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not [line for line in command_lines() if url in line]
        assert is_empty(scratch)

    async def test_fetch_above_the_limit_is_stopped_while_it_runs(
        self, source: GitSource, repository: Repository, server: GitServer, report: Reported, scratch: Path
    ) -> None:
        (repository.folder / "big").write_bytes(os.urandom(3_000_000))
        repository.commit_all()
        server.holds_back = True
        request = replace(a_request(f"{server.url}/shop/.git"), max_bytes=1_000_000)
        with pytest.raises(TooLarge):
            await source.fetch_source(request, report)
        server.closed.set()
        assert is_empty(scratch)

    async def test_tree_above_the_limits_is_not_written(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        (repository.folder / "zeros").write_bytes(bytes(3_000_000))
        repository.commit_all()
        with pytest.raises(TooLarge, match="bytes"):
            await source.fetch_source(replace(a_request(repository.url), max_bytes=1_000_000), report)
        with pytest.raises(TooLarge, match="more than 2 files"):
            await source.fetch_source(replace(a_request(repository.url), max_files=2), report)

    async def test_tree_of_a_thousand_million_files_is_refused_at_once(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        entry = f"100644 blob {repository.git('hash-object', '-w', '--stdin', stdin=b'x')}"
        for _ in range(9):
            listing = "".join(f"{entry}\tf{number}\n" for number in range(10))
            entry = f"040000 tree {repository.git('mktree', stdin=listing.encode())}"
        commit = repository.git("commit-tree", "-m", "Bomb", entry.split()[-1])
        repository.git("branch", "bomb", commit)
        with pytest.raises(TooLarge, match="more than 1000 files"):
            await source.fetch_source(replace(a_request(repository.url, "bomb"), max_files=1000), report)


class TestSubmodules:
    """Repositories inside repositories."""

    @pytest.fixture
    def nested(self, served: Path, repository: Repository) -> Repository:
        """`shop` holds `library`, which holds `fonts`, both by relative addresses."""
        fonts = create_repository(served / "fonts")
        fonts.commit(sans_ttf="glyphs")
        library = create_repository(served / "library")
        library.commit(code_py="pass\n")
        add_submodule(library, "../fonts", "assets/fonts", fonts)
        add_submodule(repository, "../library", "lib", library)
        return repository

    async def test_they_arrive_when_wanted_and_without_git_folders(
        self, source: GitSource, storage: LocalStorage, nested: Repository, report: Reported
    ) -> None:
        bundle = await source.fetch_source(a_request(nested.url, submodules=True), report)
        paths = await fetched_paths(storage, bundle.digest)
        assert {"lib/code.py", "lib/assets/fonts/sans.ttf", "Dockerfile"} < paths
        assert not [path for path in paths if ".git" in path.split("/")]

    async def test_they_stay_away_when_not_wanted(
        self, source: GitSource, storage: LocalStorage, nested: Repository, report: Reported
    ) -> None:
        bundle = await source.fetch_source(a_request(nested.url), report)
        assert await fetched_paths(storage, bundle.digest) == {"Dockerfile", "web/index.html", ".gitmodules"}

    @pytest.mark.parametrize(
        "url", ["git://example.com/x", "ext::sh -c touch% x", "http://example.com/x", "/etc", "-u./x"]
    )
    async def test_address_of_another_protocol_is_refused(
        self, source: GitSource, repository: Repository, served: Path, report: Reported, url: str
    ) -> None:
        add_submodule(repository, url, "lib", repository)
        with pytest.raises(SourceUnavailable, match="submodule 'lib'"):
            await source.fetch_source(a_request(repository.url, submodules=True), report)

    async def test_submodule_without_an_address_stays_empty_and_is_reported(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        add_submodule(repository, "../shop", "lib", repository)
        (repository.folder / ".gitmodules").write_text("")
        repository.commit_all()
        await source.fetch_source(a_request(repository.url, submodules=True), report)
        assert any("'lib' has no address" in line for line in report.lines)

    async def test_all_count_towards_the_limits(self, source: GitSource, nested: Repository, report: Reported) -> None:
        with pytest.raises(TooLarge):
            await source.fetch_source(replace(a_request(nested.url, submodules=True), max_files=6), report)


class TestAllowed:
    """Who may fetch from where."""

    @pytest.mark.parametrize(
        "url",
        [
            "file:///srv/shop.git",
            "http://localhost/shop.git",
            "https://127.0.0.1/shop.git",
            "https://127.1/shop.git",
            "https://2130706433/shop.git",
            "https://[::1]/shop.git",
            "https://[::ffff:127.0.0.1]/shop.git",
            "https://169.254.169.254/latest",
            "https://0.0.0.0/shop.git",
            "ssh://git@localhost/shop.git",
            "git@localhost:shop.git",
            "git@api.localhost:shop.git",
        ],
    )
    async def test_this_machine_is_for_administrators(self, source: GitSource, report: Reported, url: str) -> None:
        request = replace(a_request(url), allows_local=False)
        with pytest.raises(InvalidInput) as refused:
            await source.fetch_source(request, report)
        assert refused.value.field == "url"
        with pytest.raises(InvalidInput):
            await source.get_revision(request)


def add_submodule(repository: Repository, url: str, path: str, inner: Repository) -> None:
    """Written by hand, since git itself refuses some of these addresses."""
    commit = inner.git("rev-parse", "HEAD")
    (repository.folder / ".gitmodules").write_text(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
    repository.git("add", ".gitmodules")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    (repository.folder / path).mkdir(parents=True)
    repository.git("commit", "--quiet", "-m", "Add a submodule")
