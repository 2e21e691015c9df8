"""Content-addressed files: `sha256/ab/<hex>` under a folder, written whole or not at all."""

import asyncio
import contextlib
import errno
import os
import re
from collections.abc import AsyncIterator, Generator, Sequence
from pathlib import Path

from towline.errors import DiskFull, InvalidInput, Unavailable

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1024 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def check_digest(value: str, *, field: str = "digest") -> str:
    """Return `value` when it is `sha256:` and 64 lower-case hex digits; raise InvalidInput naming `field` otherwise."""
    if not _DIGEST.fullmatch(value):
        raise InvalidInput(f"{field} {value[:100]!r} is not `sha256:` and 64 hex digits.", field=field)
    return value


def content_path(folder: Path, digest: str, *, suffix: str = "") -> Path:
    """Where the file with this digest lives under `folder`; InvalidInput when it is no digest."""
    number = check_digest(digest).removeprefix("sha256:")
    return folder / "sha256" / number[:2] / f"{number}{suffix}"


def list_contents(folder: Path, *, suffix: str = "") -> Sequence[tuple[str, os.stat_result]]:
    """Digest and status of every file under `folder`, sorted by digest. Blocks."""
    found: list[tuple[str, os.stat_result]] = []
    for path in sorted((folder / "sha256").glob(f"??/*{suffix}")):
        number = path.name.removesuffix(suffix)
        if _HEX.fullmatch(number):
            with contextlib.suppress(FileNotFoundError):
                found.append((f"sha256:{number}", path.stat()))
    return found


def publish_file(temporary: Path, target: Path) -> None:
    """Move a finished file to its place so that it survives a power cut; same content there already wins. Blocks."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if target.exists():
        os.utime(target)
        temporary.unlink()
        return
    _sync(temporary)
    temporary.rename(target)
    _sync(target.parent)


async def read_chunks(path: Path) -> AsyncIterator[bytes]:
    """A file in chunks of at most 1 MiB, read in threads."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
    finally:
        file.close()


@contextlib.contextmanager
def disk_errors(doing: str) -> Generator[None]:
    """Translate the operating system's errors: DiskFull without room, Unavailable otherwise."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"{doing} failed: the disk is full.") from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Unavailable(f"{doing} failed: {reason}.") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
