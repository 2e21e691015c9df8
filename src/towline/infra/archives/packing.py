"""Packing a folder as a normalised tar: the same names, modes and contents always give the same bytes."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from towline.errors import BundleRejected
from towline.infra.archives.headers import END, encode_header, padding
from towline.infra.archives.members import CHUNK, UnpackLimits, checked_parts, shown
from towline.infra.archives.trees import get_link_target

_LIMITS = UnpackLimits()


def pack_tree(tree: Path) -> Iterator[bytes]:
    """The chunks of a tar of everything in `tree`: sorted, no times, no owners, modes 0644 and 0755, links kept.

    It begins with an entry for the folder itself, which tells it from an archive with a folder to be stripped.
    Raises BundleRejected for devices, pipes, sockets, links that leave the tree and paths that could not be unpacked
    again. Blocks.
    """
    yield encode_header(b"./", kind=b"5", mode=0o755)
    waiting = _names_in(tree, b"")
    while waiting:
        name = waiting.pop()
        checked_parts(name, _LIMITS)
        path = tree / os.fsdecode(name)
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            yield encode_header(name + b"/", kind=b"5", mode=0o755)
            waiting += _names_in(path, name + b"/")
        elif stat.S_ISREG(mode):
            yield from _pack_file(path, name)
        elif stat.S_ISLNK(mode):
            yield encode_header(name, kind=b"2", mode=0o777, target=get_link_target(path, root=tree, name=name))
        else:
            raise BundleRejected(f"The entry {shown(name)} is a device, a named pipe or a socket.")
    yield END


def _names_in(folder: Path, prefix: bytes) -> list[bytes]:
    """Last first, so that popping from the end gives them in order."""
    return sorted((prefix + os.fsencode(entry.name) for entry in folder.iterdir()), reverse=True)


def _pack_file(path: Path, name: bytes) -> Iterator[bytes]:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        mode = 0o755 if status.st_mode & 0o111 else 0o644
        yield encode_header(name, kind=b"0", mode=mode, size=status.st_size)
        left = status.st_size
        while left:
            chunk = file.read(min(left, CHUNK))
            if not chunk:
                raise BundleRejected(f"The file {shown(name)} changed while it was packed.")
            left -= len(chunk)
            yield chunk
        yield padding(status.st_size)
