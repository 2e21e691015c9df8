"""SQL files of the migrations: what goes up stands first, what goes back after a line `-- downgrade`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

_DIVIDER: Final = "-- downgrade\n"


def read_statements(path: Path, *, is_downgrade: bool = False) -> Sequence[str]:
    """The statements of one half of a file, in order; each ends with a semicolon at the end of a line."""
    up, _, down = path.read_text().partition(_DIVIDER)
    half = down if is_downgrade else up
    return [statement.strip() for statement in half.split(";\n") if statement.strip()]
