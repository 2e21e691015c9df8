"""Dumps on the disk: whole or not at all, closed to others."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from towline.errors import InvalidInput, NotFound, TooLarge
from towline.storage.dumps import LocalDumps


async def _chunks(content: bytes, *, fails: bool = False) -> AsyncIterator[bytes]:
    for position in range(0, len(content), 1000):
        yield content[position : position + 1000]
    if fails:
        raise NotFound("The instance is gone.")


async def test_what_is_stored_comes_back_and_is_closed_to_others(tmp_path: Path) -> None:
    dumps, content = LocalDumps(tmp_path / "dumps"), bytes(range(256)) * 9000
    stored = await dumps.store("bkp_1", _chunks(content), max_bytes=10_000_000)
    assert stored.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert stored.size == len(content) > stored.stored_size
    (file,) = (tmp_path / "dumps").glob("*.zst")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    async with aclosing(dumps.read("bkp_1")) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == content
    await dumps.store("bkp_2", _chunks(b""), max_bytes=1)
    await dumps.clean(["bkp_2"])
    assert len(_files(tmp_path)) == 2
    os.utime(file, (0, 0))
    await dumps.clean(["bkp_2"])
    assert [path.name for path in (tmp_path / "dumps").glob("*.zst")] == ["bkp_2.zst"]
    await dumps.delete("bkp_2")
    await dumps.delete("bkp_2")
    with pytest.raises(NotFound):
        await anext(dumps.read("bkp_2"))


async def test_nothing_stays_of_what_failed_or_was_too_much(tmp_path: Path) -> None:
    dumps = LocalDumps(tmp_path)
    with pytest.raises(NotFound):
        await dumps.store("bkp_1", _chunks(b"x" * 5000, fails=True), max_bytes=10_000)
    with pytest.raises(TooLarge):
        await dumps.store("bkp_1", _chunks(b"x" * 5000), max_bytes=4999)
    assert _files(tmp_path) == []
    for name in ("../keys/secrets", "", "a/b", "A"):
        with pytest.raises(InvalidInput):
            await dumps.delete(name)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
