"""A file in the data folder that is given up when the disk is full, so that PostgreSQL can write what became of things.

Without it a full disk leaves PostgreSQL unable to open a connection or to write that a deployment failed. The same
is done by CockroachDB ("ballast file").
"""

import errno
import os
import shutil
from pathlib import Path
from typing import Final

from towline.errors import DiskFull

RESERVE_BYTES: Final = 32 * 1024**2
"""Two segments of PostgreSQL's write-ahead log, which come whole."""

_FULL_BYTES: Final = 1024**2
_WHOLE_AGAIN_BYTES: Final = 4 * RESERVE_BYTES
_SHORTEST_SECONDS: Final = 0.5
_LONGEST_SECONDS: Final = 30.0
_BYTES_PER_SECOND: Final = 500e6
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskReserve:
    """The reserve of one data folder: one process keeps it, all that would write much ask whether it is spent."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir
        self._path = data_dir / "reserve"

    def keep(self) -> str:
        """Give the reserve up when the disk is full, put it back when there is room; say what was done."""
        size, free = self._size(), shutil.disk_usage(self._folder).free
        if size and free < _FULL_BYTES:
            os.truncate(self._path, 0)
            return f"The disk of {self._folder} is full; {size // 1024**2} MB of reserve were given to PostgreSQL."
        if size != RESERVE_BYTES and free >= _WHOLE_AGAIN_BYTES:
            return self._make_whole(was_spent=size is not None)
        return ""

    def next_look(self) -> float:
        """Seconds in which a fast disk could be filled, between half a second and half a minute."""
        return min(_LONGEST_SECONDS, max(_SHORTEST_SECONDS, shutil.disk_usage(self._folder).free / _BYTES_PER_SECOND))

    def is_spent(self) -> bool:
        """Whether the disk was full and has no room yet: what is left is for PostgreSQL alone."""
        return self._size() == 0 and shutil.disk_usage(self._folder).free < _WHOLE_AGAIN_BYTES

    def check(self, doing: str) -> None:
        """Raise DiskFull when the reserve is spent; `doing` begins the sentence, as in "The build"."""
        if self.is_spent():
            raise DiskFull(f"{doing} needs room, and the disk is full; what little is left is kept for PostgreSQL.")

    def _make_whole(self, *, was_spent: bool) -> str:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError as error:
            os.truncate(descriptor, 0)
            if error.errno not in _NO_ROOM:
                raise
            return ""
        finally:
            os.close(descriptor)
        return "The disk has room again; the reserve was put back." if was_spent else ""

    def _size(self) -> int | None:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return None
