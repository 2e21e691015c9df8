"""Fetches that take too long or bring too much."""

import asyncio
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.infra.archives.samples import mounted
from tests.sources.conftest import Reported
from tests.sources.requests import a_request, command_lines, is_empty, wait_until
from tests.sources.servers import GitServer, Repository, serve_silence

from towline.errors import DiskFull, TimedOut, TooLarge
from towline.sources.git.source import GitSource
from towline.storage.local import LocalStorage


class TestLimits:
    """Time and size."""

    async def test_server_that_never_answers_runs_out_of_time(
        self, source: GitSource, report: Reported, scratch: Path
    ) -> None:
        with serve_silence() as url:
            start = time.monotonic()
            with pytest.raises(TimedOut, match=r"127\.0\.0\.1"):
                await source.fetch_source(replace(a_request(url), timeout=timedelta(seconds=0.5)), report)
            assert time.monotonic() - start < 30
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

    @pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
    async def test_full_disk_is_said_and_leaves_nothing(
        self, storage: LocalStorage, repository: Repository, report: Reported, scratch: Path
    ) -> None:
        (repository.folder / "big").write_bytes(os.urandom(3_000_000))
        repository.commit_all()
        await asyncio.to_thread(scratch.mkdir)
        for room in ("2m", "4m"):
            with mounted(scratch, f"size={room}"):
                with pytest.raises(DiskFull):
                    await GitSource(storage.store_tree, scratch).fetch_source(a_request(repository.url), report)
                assert is_empty(scratch)
