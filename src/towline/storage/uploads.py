"""Uploaded archives in a folder of this machine, received in pieces."""

import asyncio
import fcntl
import hashlib
import os
import time
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from towline.errors import Conflict, InvalidInput, NotFound, TooLarge
from towline.infra.contents import check_digest, content_path, disk_errors, list_contents, publish_file, read_chunks
from towline.infra.disk_reserve import DiskReserve
from towline.infra.scratch import remove_leftovers
from towline.infra.threads import Check, run_stoppable
from towline.storage.base import UploadFiles

_SAFE_AGE_SECONDS = 24 * 3600
_CHUNK = 1024 * 1024


class LocalUploads(UploadFiles):
    """Complete uploads are `sha256/ab/<hex>` under `uploads_dir`, unfinished ones `partial/<hex>.<announced size>`."""

    def __init__(self, uploads_dir: Path, *, reserve: DiskReserve, max_bytes: int = 1024**3) -> None:
        self._folder = uploads_dir
        self._partial = uploads_dir / "partial"
        self._max_bytes = max_bytes
        self._reserve = reserve

    async def create(self, size: int, digest: str) -> int:
        """Announce an archive; return how many of its bytes are there already (`size` when it is complete)."""
        check_digest(digest)
        if size < 1:
            raise InvalidInput(f"The size {size} of an upload is not a number of bytes above zero.", field="size")
        if size > self._max_bytes:
            raise TooLarge(f"The upload has {size} bytes; at most {self._max_bytes} are allowed.", field="size")
        with disk_errors("Starting the upload"):
            return await asyncio.to_thread(self._create, size, digest)

    async def append(self, digest: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Write `chunks` at `offset`, which must be where the upload ends now; return the new end."""
        path, size = await asyncio.to_thread(self._get_partial, digest)
        with _locked(path) as descriptor:
            end = os.fstat(descriptor).st_size
            if offset != end:
                raise Conflict(
                    f"The upload {digest} ends at {end}, not at {offset}.", hint=f"Send the bytes from offset {end} on."
                )
            async for chunk in chunks:
                if end + len(chunk) > size:
                    raise TooLarge(f"The upload {digest} was announced with {size} bytes, and more came.")
                self._reserve.check("The upload")
                with disk_errors("Writing the upload"):
                    await run_stoppable(partial(_write_all, descriptor, chunk))
                end += len(chunk)
            return end

    async def complete(self, digest: str) -> int:
        """Verify the whole and keep it; return its size. A wrong digest discards it. Done when already complete."""
        target = content_path(self._folder, digest)
        if await self.has_upload(digest):
            return (await asyncio.to_thread(target.stat)).st_size
        path, size = await asyncio.to_thread(self._get_partial, digest)

        def verify(check: Check) -> int:
            with _locked(path) as descriptor:
                end = os.fstat(descriptor).st_size
                if end != size:
                    raise Conflict(f"The upload {digest} has {end} of {size} bytes.", hint="Send the missing bytes.")
                if _digest_of(path, check) != digest:
                    path.unlink()
                    raise InvalidInput(f"What was uploaded does not have the digest {digest}.", field="digest")
                publish_file(path, target)
            return size

        with disk_errors("Finishing the upload"):
            return await run_stoppable(verify)

    async def get_upload(self, digest: str) -> tuple[int, int]:
        """How many bytes are there and how many were announced; equal once complete. NotFound when never announced."""
        if await self.has_upload(digest):
            size = (await asyncio.to_thread(content_path(self._folder, digest).stat)).st_size
            return size, size
        path, size = await asyncio.to_thread(self._get_partial, digest)
        # A file of full length is only `size` bytes once its digest was verified.
        return (await asyncio.to_thread(path.stat)).st_size, size

    async def has_upload(self, digest: str) -> bool:
        """Whether a complete upload is there."""
        return await asyncio.to_thread(content_path(self._folder, digest).is_file)

    async def download(self, digest: str) -> AsyncIterator[bytes]:
        """A complete upload in chunks of at most 1 MiB; NotFound when there is none."""
        if not await self.has_upload(digest):
            raise _missing(digest)
        async for chunk in read_chunks(content_path(self._folder, digest)):
            yield chunk

    async def cleanup_uploads(self, keep: Sequence[str]) -> int:
        """Remove what is older than a day: interrupted uploads, and complete ones not in `keep`. The bytes freed."""
        kept = {check_digest(digest) for digest in keep}

        def clean(check: Check) -> int:
            freed = remove_leftovers(self._folder / "tmp")
            oldest = time.time() - _SAFE_AGE_SECONDS
            paths = [content_path(self._folder, name) for name, _ in list_contents(self._folder) if name not in kept]
            for path in (*paths, *self._partial.glob("*")):
                check()
                status = path.stat()
                if status.st_mtime < oldest:
                    path.unlink(missing_ok=True)
                    freed += status.st_size
            return freed

        with disk_errors("Cleaning the uploads"):
            return await run_stoppable(clean)

    def _create(self, size: int, digest: str) -> int:
        if (target := content_path(self._folder, digest)).is_file():
            os.utime(target)
            return target.stat().st_size
        self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._partial / f"{digest.removeprefix('sha256:')}.{size}"
        for other in self._partial.glob(f"{path.stem}.*"):
            if other != path:
                other.unlink(missing_ok=True)
        path.touch(mode=0o600)
        return path.stat().st_size

    def _get_partial(self, digest: str) -> tuple[Path, int]:
        number = check_digest(digest).removeprefix("sha256:")
        for path in self._partial.glob(f"{number}.*"):
            return path, int(path.suffix[1:])
        raise _missing(digest)


@contextmanager
def _locked(path: Path) -> Generator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise _missing(f"sha256:{path.stem}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as error:
        raise Conflict(
            f"Another request is writing the upload sha256:{path.stem}.", hint="Wait a moment, then ask for its offset."
        ) from error
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, chunk: bytes, check: Check) -> None:
    view = memoryview(chunk)
    while view:
        check()
        view = view[os.write(descriptor, view) :]


def _digest_of(path: Path, check: Check) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            check()
            total.update(chunk)
    return f"sha256:{total.hexdigest()}"


def _missing(digest: str) -> NotFound:
    return NotFound(f"There is no upload {digest}.", hint="Announce it first, then send its bytes.")
