"""Bundle storage in a folder of this machine."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import zstandard

from towline.errors import InvalidInput, NotFound, TooLarge
from towline.infra.archives.members import UnpackLimits
from towline.infra.archives.packing import pack_tree
from towline.infra.archives.unpacking import unpack_archive
from towline.infra.contents import check_digest, content_path, disk_errors, list_contents, publish_file, read_chunks
from towline.infra.scratch import remove_leftovers, scratch_folder
from towline.infra.threads import Check, run_stoppable
from towline.storage.base import Storage

_SUFFIX = ".tar.zst"
_LEVEL = 3
_SAFE_AGE_SECONDS = 3600


class LocalStorage(Storage):
    """Keeps `sha256/ab/<hex>.tar.zst` under `artifacts_dir`; temporary files live in its folder `tmp`.

    `max_bytes` bounds one bundle, unpacked; sources have narrower limits of their own.
    """

    def __init__(self, artifacts_dir: Path, *, max_bytes: int = 16 * 1024**3) -> None:
        self._folder = artifacts_dir
        self._scratch = artifacts_dir / "tmp"
        self._limits = UnpackLimits(
            max_bytes=max_bytes, max_file_bytes=max_bytes, ratio_from=max_bytes, max_files=2_000_000
        )

    async def store_tree(self, tree: Path) -> tuple[str, int]:
        """Store a folder as a bundle; return its digest and stored size in bytes."""
        async with scratch_folder(self._scratch) as scratch:

            def store(check: Check) -> tuple[str, int]:
                with _BundleFile(scratch / "bundle", max_bytes=self._limits.max_bytes) as file:
                    for chunk in pack_tree(tree):
                        check()
                        file.write(chunk)
                return file.digest, self._publish(file)

            with disk_errors("Storing the bundle"):
                return await run_stoppable(store)

    async def upload_deployment_bundle(self, digest: str, chunks: AsyncIterator[bytes]) -> int:
        """Store the normalised tar `chunks` under `digest`, which is verified; return the stored size in bytes."""
        check_digest(digest)
        async with scratch_folder(self._scratch) as scratch:
            with _BundleFile(scratch / "bundle", max_bytes=self._limits.max_bytes) as file:
                async for chunk in chunks:
                    with disk_errors("Storing the bundle"):
                        await run_stoppable(lambda _, chunk=chunk: file.write(chunk))
            if file.digest != digest:
                raise InvalidInput(f"The bundle's digest is {file.digest}, not {digest}.", field="digest")
            with disk_errors("Storing the bundle"):
                return await asyncio.to_thread(self._publish, file)

    async def download_deployment_bundle(self, digest: str) -> AsyncIterator[bytes]:
        """The stored tar.zst in chunks of at most 1 MiB."""
        path = self._path(digest)
        if not await asyncio.to_thread(path.exists):
            raise _missing(digest)
        async for chunk in read_chunks(path):
            yield chunk

    @asynccontextmanager
    async def open_bundle(self, digest: str) -> AsyncGenerator[Path]:
        """The unpacked tree of a bundle in a temporary folder, removed on leaving."""
        path = self._path(digest)
        async with scratch_folder(self._scratch) as scratch:
            if not await asyncio.to_thread(path.exists):
                raise _missing(digest)
            yield await unpack_archive(
                path, scratch / "tree", limits=self._limits, strips_top=False, timeout=timedelta(minutes=30)
            )

    async def has_bundle(self, digest: str) -> bool:
        """Whether a bundle is stored."""
        return await asyncio.to_thread(self._path(digest).is_file)

    async def list_bundles(self) -> Sequence[str]:
        """Digests of every stored bundle."""
        contents = await asyncio.to_thread(list_contents, self._folder, suffix=_SUFFIX)
        return [digest for digest, _ in contents]

    async def cleanup_old_deployments(self, keep: Sequence[str]) -> int:
        """Remove every bundle not in `keep` and older than an hour, and what dead processes left; the bytes freed."""
        kept = {check_digest(digest) for digest in keep}

        def clean(check: Check) -> int:
            freed = remove_leftovers(self._scratch)
            oldest = time.time() - _SAFE_AGE_SECONDS
            for digest, status in list_contents(self._folder, suffix=_SUFFIX):
                check()
                if digest not in kept and status.st_mtime < oldest:
                    self._path(digest).unlink(missing_ok=True)
                    freed += status.st_size
            return freed

        with disk_errors("Cleaning the bundle storage"):
            return await run_stoppable(clean)

    def _path(self, digest: str) -> Path:
        return content_path(self._folder, digest, suffix=_SUFFIX)

    def _publish(self, file: "_BundleFile") -> int:
        target = self._path(file.digest)
        publish_file(file.path, target)
        return target.stat().st_size


class _BundleFile:
    """A bundle being written: compressed on the way to the disk, hashed as it came."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self.path = path
        self._left = max_bytes
        self._hash = hashlib.sha256()
        self._file = path.open("xb")
        self._packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()

    @property
    def digest(self) -> str:
        """Of everything written so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, chunk: bytes) -> None:
        """Add bytes of the tar; TooLarge above the limit. Blocks."""
        self._left -= len(chunk)
        if self._left < 0:
            raise TooLarge("The bundle is larger than the limit allows.")
        self._hash.update(chunk)
        self._file.write(self._packer.compress(chunk))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._file.write(self._packer.flush())


def _missing(digest: str) -> NotFound:
    return NotFound(f"There is no bundle {digest}.", hint="Deploy again; the source is then fetched anew.")
