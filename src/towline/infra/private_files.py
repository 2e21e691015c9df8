"""Small files for this user's eyes alone, written in one step, and changed by one process at a time."""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from towline.errors import Unavailable

_TRIES: Final = 500
_PAUSE_SECONDS: Final = 0.02


def write_private(path: Path, content: str) -> None:
    """Write a file in one step, readable by its owner alone, on the disk when this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)


@contextmanager
def alone(lock_file: Path) -> Generator[None]:
    """Let no other process be here meanwhile, until this one leaves or dies; Unavailable when one stays for long."""
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    for _ in range(_TRIES):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
    raise Unavailable("Another process is changing the installation.", hint="Try again in a moment.")
