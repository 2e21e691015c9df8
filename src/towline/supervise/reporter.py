"""Where the supervisor's lines go: its log, and trouble also to the terminal it holds."""

import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reporter:
    """Writes dated lines to a log file; a full disk is no reason to stop."""

    log: Path
    has_terminal: bool = False

    def note(self, line: str) -> None:
        """Something went as it should."""
        with suppress(OSError), self.log.open("a") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")

    def warn(self, line: str) -> None:
        """Something people who watch should know."""
        self.note(line)
        if self.has_terminal:
            with suppress(OSError):
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()
