"""Packing a folder as tar.zst for an upload: the same files always give the same bytes, so they are sent once."""

import os
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zstandard

from towline.errors import BundleRejected, InvalidInput
from towline.infra.archives.headers import END, encode_header, padding

_CHUNK: Final = 256 * 1024
_LEVEL: Final = 3


@dataclass(frozen=True, slots=True)
class Pack:
    """A packed folder: a file, how many files it holds, and their size in bytes."""

    path: Path
    files: int
    unpacked_bytes: int


def no_file(folder: Path) -> InvalidInput:
    """The error that a folder without anything to deploy is refused with."""
    return InvalidInput(
        f"The folder {folder} holds no file to deploy.",
        hint="Go to the folder of the app, or name it: `towline deploy FOLDER`. Ignore files may leave out everything.",
        field="path",
    )


@contextmanager
def packed(folder: Path, names: Iterable[str], *, on_file: Callable[[int], None] | None = None) -> Generator[Pack]:
    """The named files of a folder in a temporary tar.zst that is deleted afterwards.

    `on_file` is called with the number of files so far. InvalidInput when there is none, BundleRejected when one
    changes or vanishes meanwhile.
    """
    with tempfile.NamedTemporaryFile(prefix="towline-", suffix=".tar.zst") as file:
        count, total = 0, 0
        with zstandard.ZstdCompressor(level=_LEVEL).stream_writer(file, closefd=False) as writer:
            writer.write(encode_header(b"./", kind=b"5", mode=0o755))
            for count, name in enumerate(names, start=1):
                total += sum(writer.write(chunk) for chunk in _entry(folder, name))
                if on_file:
                    on_file(count)
            writer.write(END)
        if count == 0:
            raise no_file(folder)
        file.flush()
        yield Pack(Path(file.name), count, total)


def _entry(folder: Path, name: str) -> Iterator[bytes]:
    path = folder / name
    encoded = os.fsencode(name)
    try:
        if path.is_symlink():
            yield encode_header(encoded, kind=b"2", mode=0o777, target=os.fsencode(path.readlink()))
        else:
            yield from _file(path, encoded)
    except OSError as error:
        raise BundleRejected(f"{path} cannot be packed: {error.strerror}.") from error


def _file(path: Path, name: bytes) -> Iterator[bytes]:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        mode = 0o755 if status.st_mode & 0o111 else 0o644
        yield encode_header(name, kind=b"0", mode=mode, size=status.st_size)
        left = status.st_size
        while left:
            chunk = file.read(min(left, _CHUNK))
            if not chunk:
                raise BundleRejected(f"{path} changed while it was packed.", hint="Deploy again.")
            left -= len(chunk)
            yield chunk
        yield padding(status.st_size)
