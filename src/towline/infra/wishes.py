"""What the API asks of the supervisor: settings wished for in a file of the data folder, and a signal to look there.

The supervisor alone changes the installation; until it does, a wish outlives the death of every process.
"""

import json
import os
import signal
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from towline.errors import Unavailable
from towline.infra.private_files import alone, write_private

BASE_DOMAIN: Final = "TOWLINE_BASE_DOMAIN"
WISHABLE: Final = (BASE_DOMAIN,)
LOOK: Final = signal.SIGUSR1
"""Tells a supervisor to look at once."""


def wish(data_dir: Path, settings: Mapping[str, str], *, supervisor: int) -> None:
    """Ask for `TOWLINE_…` settings, in place of an earlier wish that was not granted.

    Blocks for as long as the installation is being changed. Unavailable without supervisor, OSError without room.
    """
    with changing(data_dir):
        write_private(_file(data_dir), json.dumps(dict(settings)))
    try:
        os.kill(supervisor, LOOK)
    except ProcessLookupError as error:
        raise Unavailable("Towline's supervisor is gone.", hint="Run `towline up` on the server.") from error


def find_wish(data_dir: Path) -> Mapping[str, str]:
    """The settings wished for and not granted yet; none at most times."""
    try:
        found: dict[str, str] = json.loads(_file(data_dir).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {name: found[name] for name in WISHABLE if name in found}


def changing(data_dir: Path) -> AbstractContextManager[None]:
    """Nobody else changes the installation, wishes or grants meanwhile; a wish stays for the supervisor to grant."""
    return alone(_lock_file(data_dir))


@contextmanager
def granting(data_dir: Path) -> Generator[Mapping[str, str]]:
    """The settings wished for, while nobody else wishes or grants; forgotten once the block has ended well."""
    with changing(data_dir):
        yield find_wish(data_dir)
        _file(data_dir).unlink(missing_ok=True)


def _file(data_dir: Path) -> Path:
    return data_dir / "run" / "wish.json"


def _lock_file(data_dir: Path) -> Path:
    return data_dir / "run" / "installation.lock"
