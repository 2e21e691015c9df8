"""A line that says what is going on, kept below the output of a terminal; elsewhere nothing."""

import re
import sys
import threading
import time
from types import TracebackType
from typing import Final, Self

from towline.cli.output import has_colours, is_terminal, safe_line

_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SECONDS: Final = 0.1
_NUMBERS: Final = re.compile(r"[0-9.]+ ?[kMGT]?B?")
_CLEAR: Final = "\r\x1b[2K"


class Spinner:
    """Shows `text` and the seconds since it began, while `write` prints lines above it; on stdout."""

    def __init__(self, *, is_shown: bool) -> None:
        self._is_shown = is_shown and is_terminal(sys.stdout)
        self._keeps_colours = has_colours(sys.stdout)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._text = ""
        self._since = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="towline-spinner", daemon=True)

    def __enter__(self) -> Self:
        if self._is_shown:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            self._stopped.set()
            self._thread.join()
            self._put(_CLEAR)

    def say(self, text: str) -> None:
        """Change what is going on; the time begins anew when the first word changes."""
        with self._lock:
            if text.split(" ", maxsplit=1)[0] != self._text.split(" ")[0]:
                self._since = time.monotonic()
            self._text = text

    def write(self, line: str) -> None:
        """Print a line of foreign output, made harmless."""
        text = safe_line(line, keeps_colours=self._keeps_colours)
        with self._lock:
            self._put(f"{_CLEAR}{text}\n" if self._is_shown else f"{text}\n")

    def _run(self) -> None:
        frame = 0
        while not self._stopped.wait(_SECONDS):
            frame = (frame + 1) % len(_FRAMES)
            with self._lock:
                if self._text:
                    seconds = time.monotonic() - self._since
                    self._put(f"{_CLEAR}{_FRAMES[frame]} {self._text} {seconds:.1f} s")

    @staticmethod
    def _put(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
