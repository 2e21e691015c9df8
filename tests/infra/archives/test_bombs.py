"""Archives that are more than they look, and limits of time and disk."""

import asyncio
import gzip
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard
from tests.infra.archives.samples import (
    LIMITS,
    entry,
    mounted,
    names_in,
    refused,
    tar_of,
    zeros_behind,
    zip_of,
)

from towline.errors import DiskFull, TimedOut, TooLarge
from towline.infra.archives.headers import BLOCK, encode_header
from towline.infra.archives.members import UnpackLimits
from towline.infra.archives.unpacking import unpack_archive
from towline.infra.contents import disk_errors


class TestBombs:
    """Archives that are more than they look."""

    async def test_gigabyte_of_zeros(self, tmp_path: Path) -> None:
        head = encode_header(b"zeros", kind=b"0", mode=0o644, size=1_000_000_000)
        limits = UnpackLimits()
        assert "'zeros'" in await refused(tmp_path, zeros_behind(head, 1_000_000_000), error=TooLarge, limits=limits)

    async def test_ratio_in_every_format(self, tmp_path: Path) -> None:
        zeros = bytes(4_000_000)
        tar = tar_of(entry(b"zeros", zeros))
        for content in (gzip.compress(tar), zstandard.compress(tar), zip_of([("zeros", zeros)])):
            assert "times its size" in await refused(tmp_path, content, error=TooLarge)

    async def test_size_of_one_file_and_of_all(self, tmp_path: Path) -> None:
        huge = encode_header(b"huge", kind=b"0", mode=0o644, size=1 << 60)
        assert "'huge'" in await refused(tmp_path, huge, error=TooLarge)
        many = tar_of(*(entry(f"part{number}".encode(), bytes(4_000_000)) for number in range(3)))
        assert "'part2'" in await refused(tmp_path, many, error=TooLarge)

    async def test_hard_links_count_with_their_size(self, tmp_path: Path) -> None:
        links = (entry(f"l{number}".encode(), kind=b"1", target=b"big") for number in range(100))
        assert "'l" in await refused(tmp_path, tar_of(entry(b"big", bytes(1_000_000)), *links), error=TooLarge)

    async def test_million_files(self, tmp_path: Path) -> None:
        names = [f"{number}" for number in range(1001)]
        assert "1000" in await refused(tmp_path, tar_of(*(entry(name.encode()) for name in names)), error=TooLarge)
        await refused(tmp_path, zip_of((name, b"") for name in names), error=TooLarge)

    async def test_folders_nobody_named_count_too(self, tmp_path: Path) -> None:
        deep = (b"/".join(b"%d" % number for _ in range(90)) for number in range(20))
        await refused(tmp_path, tar_of(*(entry(name) for name in deep)), error=TooLarge)

    async def test_endless_headers_without_entries(self, tmp_path: Path) -> None:
        comment = entry(b"x", b"20 comment=" + b"x" * 8 + b"\n", kind=b"g")
        content = gzip.compress(comment * 20_000)
        await refused(tmp_path, content, error=TooLarge, limits=UnpackLimits(max_bytes=100_000, max_files=10))

    async def test_header_of_a_gigabyte(self, tmp_path: Path) -> None:
        for kind in (b"x", b"g", b"L", b"K"):
            await refused(tmp_path, encode_header(b"h", kind=kind, mode=0, size=1 << 30) + bytes(BLOCK))

    async def test_zip_that_lies_about_sizes(self, tmp_path: Path) -> None:
        content = bytearray(zip_of([("a", bytes(4_000_000))]))
        position = content.index(b"PK\x01\x02")
        content[position + 24 : position + 28] = (10).to_bytes(4, "little")
        await refused(tmp_path, bytes(content))

    async def test_zip_whose_entries_overlap(self, tmp_path: Path) -> None:
        """David Fifield's bomb: many names for the same packed bytes."""
        whole = zip_of([("a", bytes(900_000))])
        start, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
        directory = whole[start:end] * 500
        tail = bytearray(whole[end:])
        tail[8:12] = (500).to_bytes(2, "little") * 2
        tail[12:16] = len(directory).to_bytes(4, "little")
        await refused(tmp_path, whole[:start] + directory + bytes(tail), error=TooLarge)

    async def test_time_limit(self, tmp_path: Path) -> None:
        head = encode_header(b"a", kind=b"0", mode=0o644, size=300_000_000)
        (tmp_path / "archive").write_bytes(zeros_behind(head, 300_000_000))
        with pytest.raises(TimedOut):
            await unpack_archive(
                tmp_path / "archive",
                tmp_path / "tree",
                limits=UnpackLimits(max_ratio=1_000_000),
                timeout=timedelta(milliseconds=5),
            )
        assert names_in(tmp_path) == ["archive"]

    async def test_cancel_stops_the_thread_and_leaves_nothing(self, tmp_path: Path) -> None:
        head = encode_header(b"a", kind=b"0", mode=0o644, size=300_000_000)
        (tmp_path / "archive").write_bytes(zeros_behind(head, 300_000_000))
        task = asyncio.create_task(
            unpack_archive(tmp_path / "archive", tmp_path / "tree", limits=UnpackLimits(max_ratio=1_000_000))
        )
        await wait_until((tmp_path / "tree" / "a").exists)
        (tmp_path / "kept").hardlink_to(tmp_path / "tree" / "a")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (tmp_path / "kept").stat().st_size < 300_000_000
        assert names_in(tmp_path) == ["archive", "kept"]

    def test_full_disk_is_said(self) -> None:
        with pytest.raises(DiskFull, match="Unpacking"), disk_errors("Unpacking"):
            Path("/dev/full").write_bytes(b"x")

    @pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
    async def test_full_disk_leaves_nothing(self, tmp_path: Path) -> None:
        small = tmp_path / "small"
        small.mkdir()
        with mounted(small, "size=1m"):
            content = tar_of(entry(b"a", b"x"), entry(b"b", os.urandom(2_000_000)))
            (tmp_path / "archive").write_bytes(content)
            with pytest.raises(DiskFull):
                await unpack_archive(tmp_path / "archive", small / "tree", limits=LIMITS)
            assert names_in(small) == []


async def wait_until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not is_true():  # noqa: ASYNC110 - it happens in a thread
            await asyncio.sleep(0.001)
