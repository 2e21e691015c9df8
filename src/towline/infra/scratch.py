"""Temporary folders that are removed on leaving, and after kill -9 by whoever looks next."""

import asyncio
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from towline.errors import Unavailable
from towline.infra.contents import disk_errors


@asynccontextmanager
async def scratch_folder(parent: Path) -> AsyncGenerator[Path]:
    """A fresh folder (0700) under `parent`, removed on leaving, also when the task is cancelled.

    It is locked while in use, so `remove_leftovers` can tell it from one whose process died.
    """
    creation = asyncio.ensure_future(asyncio.to_thread(_create, parent))
    try:
        folder, _ = await asyncio.shield(creation)
        yield folder
    finally:
        await asyncio.shield(asyncio.to_thread(_remove, *await creation))


def memory_folder(name: str) -> Path:
    """A folder in memory (else on the disk) for scratch folders that hold secrets; this user's own."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder below is this user's, and its content 0700
    return (memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())) / f"towline-{os.getuid()}-{name}"


def remove_leftovers(parent: Path) -> int:
    """Remove every folder under `parent` that no living process uses; return the bytes freed. Blocks.

    Nothing when `parent` is not this user's own folder.
    """
    if not _is_own_folder(parent):
        return 0
    return sum(_remove_if_unused(entry) for entry in parent.iterdir())


def measure_folder(folder: Path, *, stop_above_bytes: int | None = None) -> tuple[int, int]:
    """How many entries a folder holds and their bytes, links not followed; stops early above the limit. Blocks."""
    count = size = 0
    for path, _, files in os.walk(folder):
        count += 1
        for name in files:
            try:
                size += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118 - Path objects double the time
            except FileNotFoundError:
                continue
            count += 1
        if stop_above_bytes is not None and size > stop_above_bytes:
            break
    return count, size


def _create(parent: Path) -> tuple[Path, int]:
    with disk_errors(f"Making a temporary folder in {parent}"):
        parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        if not _is_own_folder(parent):
            raise Unavailable(f"{parent} is not a folder of this user's.", hint=f"Remove {parent}, then try again.")
        while True:
            folder = parent / secrets.token_hex(8)
            folder.mkdir(mode=0o700)
            lock = _lock(folder)
            # A cleaner may have removed the folder between the two calls.
            if lock is not None and folder.exists():
                return folder, lock


def _is_own_folder(path: Path) -> bool:
    """Whether it is a folder of this user's, and no link: anybody may put one into a folder that all may write to."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _remove(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _remove_if_unused(folder: Path) -> int:
    lock = _lock(folder)
    if lock is None:
        return 0
    _, size = measure_folder(folder)
    _remove(folder, lock)
    return size


def _lock(folder: Path) -> int | None:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
