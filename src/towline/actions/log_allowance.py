"""How much one workload may write into its run log: lines and bytes a second, with room for bursts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_BURST_SECONDS: Final = 20.0
_RESUME_SECONDS: Final = 1.0


@dataclass
class Allowance:
    """Lets so many lines and bytes a second in; once one of both is used up, nothing until a second's worth is there.

    Up to twenty seconds' worth comes in at once after a quiet time. `left_out` and `left_out_bytes` count what did not
    come in since they were last taken.
    """

    lines_per_second: float
    bytes_per_second: float
    clock: Callable[[], float] = time.monotonic
    left_out: int = 0
    left_out_bytes: int = 0
    _seconds_of_lines: float = _BURST_SECONDS
    _seconds_of_bytes: float = _BURST_SECONDS
    _is_closed: bool = False
    _seen_at: float = field(default=0.0)

    def __post_init__(self) -> None:
        self._seen_at = self.clock()

    def admits(self, size: int) -> bool:
        """Whether a line of so many bytes may come in; it is counted either way."""
        self._refill()
        if not self.is_open:
            self.left_out += 1
            self.left_out_bytes += size
            return False
        self._seconds_of_lines -= 1 / self.lines_per_second
        self._seconds_of_bytes -= size / self.bytes_per_second
        self._is_closed = min(self._seconds_of_lines, self._seconds_of_bytes) <= 0
        return True

    @property
    def is_open(self) -> bool:
        """Whether the next line may come in."""
        self._refill()
        if self._is_closed and min(self._seconds_of_lines, self._seconds_of_bytes) >= _RESUME_SECONDS:
            self._is_closed = False
        return not self._is_closed

    def take_notice(self) -> str:
        """What has been left out since the last call, as a line for the log; empty when nothing was."""
        lines, size = self.left_out, self.left_out_bytes
        self.left_out = self.left_out_bytes = 0
        if not lines:
            return ""
        unit = "line" if lines == 1 else "lines"
        return (
            f"{lines:,} {unit} ({size / 1e6:.1f} MB) left out: the service writes more than"
            f" {self.lines_per_second:,.0f} lines or {self.bytes_per_second / 1e6:.1f} MB a second."
        )

    def _refill(self) -> None:
        now = self.clock()
        elapsed, self._seen_at = now - self._seen_at, now
        self._seconds_of_lines = min(_BURST_SECONDS, self._seconds_of_lines + elapsed)
        self._seconds_of_bytes = min(_BURST_SECONDS, self._seconds_of_bytes + elapsed)
