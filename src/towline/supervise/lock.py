"""The lock that lets one supervisor alone work on a data folder."""

import fcntl
import os
from pathlib import Path

from towline.errors import Conflict


def take_lock(path: Path) -> int:
    """Take the lock and keep it until this process ends; Conflict when another supervisor holds it.

    The kernel gives it back however the holder dies. It is not inherited by programs started later.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise Conflict(
            f"Towline already runs on {path.parent.parent} (process {holder}).",
            hint="Use `towline up` to see its state or `towline down` to stop it.",
        ) from error
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def find_lock_holder(path: Path) -> int | None:
    """Process id of the supervisor that holds the lock; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        return int(holder) if holder.isdigit() else None
    finally:
        os.close(descriptor)
    return None
