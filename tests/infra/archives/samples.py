"""Archives for the tests, honest and hostile."""

import contextlib
import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path

import pytest
import zstandard

from towline.errors import BundleRejected, TowlineError
from towline.infra.archives.headers import END, encode_header, padding
from towline.infra.archives.members import UnpackLimits
from towline.infra.archives.packing import pack_tree
from towline.infra.archives.unpacking import unpack_archive

LIMITS = UnpackLimits(
    max_bytes=10_000_000, max_files=1000, max_file_bytes=5_000_000, max_ratio=100, ratio_from=1_000_000
)
FILES = {"Dockerfile": b"FROM scratch\n", "src/main.py": b"print('hello')\n", "src/empty": b""}


def tar_of(*entries: bytes) -> bytes:
    return b"".join(entries) + END


def entry(name: bytes, content: bytes = b"", *, kind: bytes = b"0", mode: int = 0o644, target: bytes = b"") -> bytes:
    return encode_header(name, kind=kind, mode=mode, size=len(content), target=target) + content + padding(len(content))


def link(name: bytes, target: bytes) -> bytes:
    return entry(name, kind=b"2", target=target)


def tar_by_python(files: Mapping[str, bytes], form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zeros_behind(head: bytes, size: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    piece = bytes(10_000_000)
    return packer.compress(head) + b"".join(packer.compress(piece) for _ in range(size // len(piece))) + packer.flush()


def zip_of(files: Iterable[tuple[zipfile.ZipInfo | str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content, compress_type=method)
    return buffer.getvalue()


def zip_entry(name: str, mode: int) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.create_system = 3
    found.external_attr = mode << 16
    return found


async def unpack(folder: Path, content: bytes, *, limits: UnpackLimits = LIMITS, strips_top: bool = True) -> Path:
    archive = folder / "archive"
    archive.write_bytes(content)
    return await unpack_archive(archive, folder / "tree", limits=limits, strips_top=strips_top)


async def refused(
    folder: Path, content: bytes, *, error: type[TowlineError] = BundleRejected, limits: UnpackLimits = LIMITS
) -> str:
    """The message of the refusal, which left nothing."""
    with pytest.raises(error) as caught:
        await unpack(folder, content, limits=limits)
    assert contents(folder) == {"archive": content}
    return str(caught.value)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def link_target(tree: Path, name: bytes) -> bytes:
    return os.readlink(os.fsencode(tree / os.fsdecode(name)))  # noqa: PTH115 - Path.readlink would tidy it


def digest_of(tree: Path) -> str:
    return hashlib.sha256(b"".join(pack_tree(tree))).hexdigest()


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Generator[None]:
    """A small file system in memory; skipped where that is not allowed."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
