"""BuildKit's plain progress read line by line: what people want to see, and what failed."""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

_STEP_LINE: Final = re.compile(r"#(\d+) ?(.*)")
_OUTPUT: Final = re.compile(r"(\d+\.\d+) ?(.*)")
_DONE: Final = re.compile(r"DONE (\d+\.\d+)s")
_RULE: Final = "------"
_QUIET: Final = ("[internal]", "exporting ", "resolve image config", "importing cache", "[auth]", "building with ")
_KEPT_LINES: Final = 20


@dataclass(slots=True)
class Progress:
    """Reads plain progress; afterwards knows the failed step, its last output, the error, and the longest RUN."""

    failed_step: str = ""
    error: str = ""
    current: str = ""
    longest_run: float = 0  # seconds
    _names: dict[str, str] = field(default_factory=dict[str, str])
    _output: dict[str, deque[str]] = field(default_factory=dict[str, deque[str]])
    _failed_number: str = ""
    _current_number: str = ""
    _is_in_summary: bool = False

    def read(self, line: str) -> str | None:
        """The line as people should see it, or None for noise: digests, transfers, repeated summaries."""
        match = _STEP_LINE.fullmatch(line)
        if match and not self._is_in_summary:
            return self._read_step(match[1], match[2])
        return self._read_end(line)

    @property
    def last_output(self) -> list[str]:
        """The last lines of the failed step, else of the step that ran last."""
        return list(self._output.get(self._failed_number or self._current_number, ()))

    def _read_step(self, number: str, body: str) -> str | None:
        name = self._names.setdefault(number, body)
        if body == name:
            return self._begin(number)
        if output := _OUTPUT.fullmatch(body):
            self._current_number, self.current = number, name
            self._output.setdefault(number, deque(maxlen=_KEPT_LINES)).append(output[2])
            return output[2]
        if body.startswith("ERROR"):
            self._failed_number, self.failed_step = number, name
            self.error = body.removeprefix("ERROR").lstrip(": ")
            return f"failed: {self.error}"
        return self._read_status(name, body)

    def _begin(self, number: str) -> str | None:
        name = self._names[number]
        if name.startswith(_QUIET):
            return None
        self._current_number, self.current = number, name
        return name

    def _read_status(self, name: str, body: str) -> str | None:
        if body == "CACHED":
            return f"{_short(name)} cached" if not name.startswith(_QUIET) else None
        done = _DONE.fullmatch(body)
        if done is None or name.startswith(_QUIET):
            return None
        if "] RUN " in name:
            self.longest_run = max(self.longest_run, float(done[1]))
        if float(done[1]) == 0:
            return None
        return f"{_short(name)} done in {done[1]} s"

    def _read_end(self, line: str) -> str | None:
        """Lines outside any step: the summary repeats what was shown; the last sentence says what went wrong."""
        if line.startswith(_RULE) and not line.strip("-"):
            self._is_in_summary = not self._is_in_summary and len(line) == len(_RULE)
            return None
        if self._is_in_summary or not line.strip():
            return None
        if not re.match(r"(ERROR: |failed to |executor failed )", line):
            return line
        is_news = not self.error or self.error not in line
        self.error = _innermost(line)
        return line if is_news else None


def _short(name: str) -> str:
    """`[2/4]` of `[2/4] RUN make`, so that a later line says which step it is about."""
    match = re.match(r"\[[^\]]+\]", name)
    return match[0] if match else name


def _innermost(error: str) -> str:
    """The error without the layers of `failed to solve …:` around it."""
    return re.sub(r"^(?:ERROR: |failed to solve[^:]*: |failed to create LLB definition: )+", "", error)
