"""Dumps and snapshots in a folder of this machine."""

import asyncio
import contextlib
import hashlib
import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from pathlib import Path
from typing import BinaryIO, Final

import zstandard

from towline.errors import InvalidInput, NotFound, TooLarge
from towline.infra.contents import disk_errors, read_chunks
from towline.infra.scratch import remove_leftovers, scratch_folder
from towline.storage.base import DumpFiles, StoredDump

_SUFFIX: Final = ".zst"
_LEVEL: Final = 3
_CHUNK: Final = 1024 * 1024
_SAFE_AGE_SECONDS: Final = 3600
_NAME: Final = re.compile(r"[a-z0-9_]{1,64}")


class LocalDumps(DumpFiles):
    """Keeps `NAME.zst` (mode 0600) in a folder of its own (0700); temporary files live in its folder `tmp`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._scratch = folder / "tmp"

    async def store(self, name: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> StoredDump:
        target = self._path(name)
        with disk_errors("Storing the dump"):
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True, mode=0o700)
        async with scratch_folder(self._scratch) as scratch:
            with disk_errors("Storing the dump"):
                file = await asyncio.to_thread(_DumpFile, scratch / "dump", max_bytes)
            try:
                async for chunk in _gathered(chunks):
                    with disk_errors("Storing the dump"):
                        await asyncio.to_thread(file.write, chunk)
                with disk_errors("Storing the dump"):
                    return await asyncio.to_thread(file.publish, target)
            finally:
                file.close()

    async def read(self, name: str) -> AsyncGenerator[bytes]:
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        async with contextlib.aclosing(self.download(name)) as packed:
            async for chunk in packed:
                if plain := await asyncio.to_thread(unpacker.decompress, chunk):
                    yield plain

    async def download(self, name: str) -> AsyncGenerator[bytes]:
        path = self._path(name)
        if not await asyncio.to_thread(path.is_file):
            raise NotFound(f"The content of {name} is gone.", hint="It was deleted from the data folder.")
        with disk_errors("Reading the dump"):
            async for chunk in read_chunks(path):
                yield chunk

    async def delete(self, name: str) -> None:
        with disk_errors("Deleting the dump"):
            await asyncio.to_thread(self._path(name).unlink, missing_ok=True)

    async def clean(self, keep: Collection[str]) -> int:
        return await asyncio.to_thread(self._clean, frozenset(keep))

    def _clean(self, keep: frozenset[str]) -> int:
        freed, oldest = remove_leftovers(self._scratch), time.time() - _SAFE_AGE_SECONDS
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                if path.name.removesuffix(_SUFFIX) not in keep and status.st_mtime < oldest:
                    path.unlink()
                    freed += status.st_size
        return freed

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name[:80]!r} is not the name of a dump.")
        return self._folder / f"{name}{_SUFFIX}"


class _DumpFile:
    """A dump being written: hashed as it comes, compressed on the way to the disk."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path, self._most, self._size = path, max_bytes, 0
        self._hash = hashlib.sha256()
        self._packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
        self._file: BinaryIO = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def write(self, chunk: bytes) -> None:
        """Add bytes; TooLarge above the limit. Blocks."""
        self._size += len(chunk)
        if self._size > self._most:
            raise TooLarge(
                f"It is larger than {self._most} bytes.", hint="Raise TOWLINE_BACKUP_MAX_BYTES, or dump less."
            )
        self._hash.update(chunk)
        self._file.write(self._packer.compress(chunk))

    def publish(self, target: Path) -> StoredDump:
        """Finish the file and move it to its place so that it survives a power cut. Blocks."""
        self._file.write(self._packer.flush())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.rename(target)
        return StoredDump(f"sha256:{self._hash.hexdigest()}", self._size, target.stat().st_size)

    def close(self) -> None:
        """Close the file, finished or not."""
        with contextlib.suppress(OSError):
            self._file.close()


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of about 1 MiB: a thread for each of the Engine's small frames would be slow."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= _CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)
