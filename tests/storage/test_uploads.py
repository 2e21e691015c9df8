"""Receiving uploads in pieces."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from towline.errors import Conflict, InvalidInput, NotFound, TooLarge
from towline.infra.disk_reserve import DiskReserve
from towline.storage.base import UploadFiles
from towline.storage.uploads import LocalUploads

CONTENT = os.urandom(10_000)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


async def in_pieces(content: bytes, size: int = 999) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def then_lost(content: bytes) -> AsyncIterator[bytes]:
    yield content
    raise ConnectionResetError


async def then_silent(content: bytes) -> AsyncIterator[bytes]:
    yield content
    await asyncio.sleep(60)
    yield b""


def make_old(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class UploadFilesContract:
    """What every store of uploads does; a subclass gives the fixture `uploads`, which takes 20,000 bytes."""

    async def test_upload_in_pieces_is_complete_and_can_be_downloaded(self, uploads: UploadFiles) -> None:
        assert await uploads.create(len(CONTENT), DIGEST) == 0
        assert await uploads.append(DIGEST, 0, in_pieces(CONTENT[:4000])) == 4000
        assert await uploads.get_upload(DIGEST) == (4000, 10_000)
        assert not await uploads.has_upload(DIGEST)
        assert await uploads.append(DIGEST, 4000, in_pieces(CONTENT[4000:])) == 10_000
        assert await uploads.complete(DIGEST) == 10_000
        assert await uploads.has_upload(DIGEST)
        assert b"".join([chunk async for chunk in uploads.download(DIGEST)]) == CONTENT

    async def test_interrupted_upload_goes_on_where_it_was(self, uploads: UploadFiles) -> None:
        await uploads.create(len(CONTENT), DIGEST)
        with pytest.raises(ConnectionResetError):
            await uploads.append(DIGEST, 0, then_lost(CONTENT[:3000]))
        assert await uploads.create(len(CONTENT), DIGEST) == 3000
        await uploads.append(DIGEST, 3000, in_pieces(CONTENT[3000:]))
        assert await uploads.complete(DIGEST) == 10_000

    async def test_complete_upload_is_not_sent_again(self, uploads: UploadFiles) -> None:
        await uploads.create(len(CONTENT), DIGEST)
        await uploads.append(DIGEST, 0, in_pieces(CONTENT))
        await uploads.complete(DIGEST)
        assert await uploads.create(len(CONTENT), DIGEST) == len(CONTENT)
        assert await uploads.complete(DIGEST) == len(CONTENT)
        assert await uploads.get_upload(DIGEST) == (10_000, 10_000)

    async def test_other_offset_is_a_conflict_that_says_the_right_one(self, uploads: UploadFiles) -> None:
        await uploads.create(len(CONTENT), DIGEST)
        await uploads.append(DIGEST, 0, in_pieces(CONTENT[:3000]))
        for offset in (0, 2999, 3001, -1):
            with pytest.raises(Conflict, match="ends at 3000"):
                await uploads.append(DIGEST, offset, in_pieces(b"x"))

    async def test_two_writers_at_once_are_a_conflict(self, uploads: UploadFiles) -> None:
        await uploads.create(len(CONTENT), DIGEST)
        first = asyncio.create_task(uploads.append(DIGEST, 0, then_silent(CONTENT[:10])))
        async with asyncio.timeout(10):
            while (await uploads.get_upload(DIGEST))[0] != 10:  # noqa: ASYNC110 - it happens in another task
                await asyncio.sleep(0)
        with pytest.raises(Conflict, match="Another request"):
            await uploads.append(DIGEST, 10, in_pieces(b"x"))
        with pytest.raises(Conflict, match="Another request"):
            await uploads.complete(DIGEST)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await uploads.append(DIGEST, 10, in_pieces(CONTENT[10:])) == 10_000

    async def test_more_than_announced_is_refused(self, uploads: UploadFiles) -> None:
        await uploads.create(len(CONTENT), DIGEST)
        with pytest.raises(TooLarge):
            await uploads.append(DIGEST, 0, in_pieces(CONTENT + b"x"))

    async def test_less_than_announced_is_not_complete(self, uploads: UploadFiles) -> None:
        await uploads.create(len(CONTENT), DIGEST)
        await uploads.append(DIGEST, 0, in_pieces(CONTENT[:-1]))
        with pytest.raises(Conflict, match="9999 of 10000"):
            await uploads.complete(DIGEST)

    async def test_wrong_content_is_discarded(self, uploads: UploadFiles) -> None:
        await uploads.create(len(CONTENT), DIGEST)
        await uploads.append(DIGEST, 0, in_pieces(bytes(10_000)))
        with pytest.raises(InvalidInput) as refused:
            await uploads.complete(DIGEST)
        assert refused.value.field == "digest"
        assert await uploads.create(len(CONTENT), DIGEST) == 0

    async def test_announcing_another_size_starts_again(self, uploads: UploadFiles) -> None:
        await uploads.create(9_999, DIGEST)
        await uploads.append(DIGEST, 0, in_pieces(CONTENT[:100]))
        assert await uploads.create(len(CONTENT), DIGEST) == 0
        assert await uploads.get_upload(DIGEST) == (0, 10_000)

    async def test_limits_and_nonsense_are_named(self, uploads: UploadFiles) -> None:
        with pytest.raises(TooLarge):
            await uploads.create(20_001, DIGEST)
        for size in (0, -1):
            with pytest.raises(InvalidInput) as refused:
                await uploads.create(size, DIGEST)
            assert refused.value.field == "size"
        for digest in ("", "sha256:../x", "sha256:*"):
            with pytest.raises(InvalidInput):
                await uploads.create(1, digest)
            with pytest.raises(InvalidInput):
                await uploads.append(digest, 0, in_pieces(b"x"))

    async def test_upload_nobody_announced_is_not_found(self, uploads: UploadFiles) -> None:
        with pytest.raises(NotFound):
            await uploads.append(DIGEST, 0, in_pieces(b"x"))
        with pytest.raises(NotFound):
            await uploads.complete(DIGEST)
        with pytest.raises(NotFound):
            await uploads.get_upload(DIGEST)
        with pytest.raises(NotFound):
            await anext(uploads.download(DIGEST))

    async def test_young_uploads_survive_a_clean_up(self, uploads: UploadFiles) -> None:
        await uploads.create(len(CONTENT), DIGEST)
        assert await uploads.cleanup_uploads([]) == 0
        assert await uploads.get_upload(DIGEST) == (0, 10_000)


class TestLocalUploads(UploadFilesContract):
    """The contract, and the folder behind it."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "uploads"

    @pytest.fixture
    def uploads(self, folder: Path) -> UploadFiles:
        return LocalUploads(folder, max_bytes=20_000, reserve=DiskReserve(folder))

    async def test_what_is_older_than_a_day_goes_unless_kept(self, uploads: UploadFiles, folder: Path) -> None:
        await uploads.create(len(CONTENT), DIGEST)
        await uploads.append(DIGEST, 0, in_pieces(CONTENT))
        await uploads.complete(DIGEST)
        await uploads.create(5, "sha256:" + "0" * 64)
        await uploads.append("sha256:" + "0" * 64, 0, in_pieces(b"abc"))
        make_old(folder)
        assert await uploads.cleanup_uploads([DIGEST]) == 3
        assert len(files_in(folder)) == 1
        assert await uploads.cleanup_uploads([]) == 10_000
        assert files_in(folder) == []
