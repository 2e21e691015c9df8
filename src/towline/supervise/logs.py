"""Log files of the parts: appended to by the parts themselves, kept within bounds by the supervisor."""

import os
import shutil
from pathlib import Path

LARGEST_LOG_BYTES = 5 * 1024 * 1024


def bound_log(path: Path, *, largest: int = LARGEST_LOG_BYTES) -> None:
    """Copy an over-long log to `.1` and empty it in place: its writer appends and keeps its descriptor."""
    if path.exists() and path.stat().st_size > largest:
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.truncate(path, 0)


def read_tail(path: Path, *, lines: int = 10) -> list[str]:
    """The last lines of a log, none when there is no log."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 16_384))
            return log.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []
