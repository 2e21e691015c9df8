"""Unpacking archives from strangers: zip, tar, tar.gz and tar.zst, told apart by content."""

import asyncio
import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO, cast

import zstandard

from towline.errors import BundleRejected, TimedOut
from towline.infra.archives.headers import BLOCK, decode_header
from towline.infra.archives.members import Member, UnpackLimits
from towline.infra.archives.tars import Readable, TarStream
from towline.infra.archives.trees import TreeWriter
from towline.infra.archives.zips import zip_members
from towline.infra.contents import disk_errors
from towline.infra.threads import Check, run_stoppable

_LARGEST_WINDOW = 128 * 1024**2
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    zstandard.ZstdError,
    EOFError,
    struct.error,
    ValueError,
    NotImplementedError,
)


async def unpack_archive(
    archive: Path,
    folder: Path,
    *,
    limits: UnpackLimits,
    strips_top: bool = True,
    timeout: timedelta = timedelta(minutes=5),
) -> Path:
    """Unpack into `folder`, which must not exist yet; return the tree's root (the single top folder, if stripped).

    Files get mode 0644 or 0755. Raises BundleRejected, TooLarge, DiskFull, TimedOut; then, and when cancelled,
    `folder` is gone again.
    """

    def unpack(check: Check) -> Path:
        folder.mkdir(mode=0o755)
        try:
            return unpack_into(archive, folder, limits=limits, strips_top=strips_top, check=check)
        except BaseException:
            rmtree(folder, ignore_errors=True)
            raise

    try:
        async with asyncio.timeout(timeout.total_seconds()):
            with disk_errors(f"Unpacking into {folder}"):
                return await run_stoppable(unpack)
    except TimeoutError as error:
        raise TimedOut(f"Unpacking the archive took longer than {timeout.total_seconds():g} s.") from error


def unpack_into(archive: Path, folder: Path, *, limits: UnpackLimits, strips_top: bool, check: Check) -> Path:
    """Unpack into an empty folder and return the tree's root. Blocks; leaves what it wrote when it raises."""
    packed_size = archive.stat().st_size
    writer = TreeWriter(folder, limits, packed_size=packed_size, check=check)
    with _damage_reported(), _open_members(archive, limits, check) as members:
        for member in members:
            writer.write(member)
    return writer.finish(strips_top=strips_top)


@contextmanager
def _damage_reported() -> Generator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise BundleRejected(f"The archive is damaged: {error or type(error).__name__}.") from error


@contextmanager
def _open_members(archive: Path, limits: UnpackLimits, check: Callable[[], None]) -> Generator[Iterator[Member]]:
    with archive.open("rb") as file:
        start = file.read(BLOCK)
        file.seek(0)
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            yield zip_members(archive, limits, check)
            return
        with _open_tar(file, start) as stream:
            # Headers may take more room than contents; 4 kB for each entry is far above any honest archive.
            limit = limits.max_bytes + limits.max_files * 4096
            yield TarStream(stream, limit=limit, check=check).members()


@contextmanager
def _open_tar(file: BinaryIO, start: bytes) -> Generator[Readable]:
    if start.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=file) as stream:
            yield stream
    elif start.startswith(b"\x28\xb5\x2f\xfd"):
        unpacker = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        with unpacker.stream_reader(file, read_across_frames=True, closefd=False) as stream:
            yield cast("Readable", stream)
    elif _is_tar(start):
        yield file
    else:
        raise BundleRejected("The file is no archive Towline can read: send a zip, tar, tar.gz or tar.zst.")


def _is_tar(start: bytes) -> bool:
    try:
        return len(start) == BLOCK and (decode_header(start) is not None or not any(start))
    except BundleRejected:
        return False
