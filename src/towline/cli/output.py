"""What commands print: tables and facts for people, JSON for programs, colours only where they are seen."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TextIO, TypeVar, cast

import typer
from pydantic import BaseModel

T = TypeVar("T")
Columns = Mapping[str, Callable[[T], object]]

_COLOURS: Final = {
    "success": "green",
    "healthy": "green",
    "running": "green",
    "valid": "green",
    "failed": "red",
    "unhealthy": "red",
    "error": "red",
    "building": "yellow",
    "deploying": "yellow",
    "degraded": "yellow",
    "warning": "yellow",
    "pending": "yellow",
}
_COLOUR_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;]*m")
_CONTROLS: Final = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def is_terminal(stream: TextIO) -> bool:
    """Whether a person watches the stream."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def has_colours(stream: TextIO) -> bool:
    """Whether colours may be written (https://no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def safe_line(text: str, *, keeps_colours: bool) -> str:
    """A line of foreign output without anything that could command a terminal; colours stay where they may."""

    def replacement(match: re.Match[str]) -> str:
        return match.group() if keeps_colours and _COLOUR_SEQUENCE.fullmatch(match.group()) else ""

    return _CONTROLS.sub(replacement, text)


class Output:
    """Prints results; with `is_json` only JSON, one document per command, nothing else on stdout."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self._has_colours = has_colours(sys.stdout)

    def say(self, text: str = "") -> None:
        """A line for people; silent with --json."""
        if not self.is_json:
            typer.echo(text)

    def line(self, text: str) -> None:
        """A line of foreign output, made harmless."""
        typer.echo(safe_line(text, keeps_colours=self._has_colours), color=self._has_colours)

    def document(self, value: object) -> None:
        """Any value as one JSON document."""
        typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))

    def model(self, model: BaseModel, facts: Mapping[str, object]) -> None:
        """One object: its JSON, or `facts` as aligned lines."""
        if self.is_json:
            typer.echo(model.model_dump_json(indent=2))
            return
        width = max((len(name) for name in facts), default=0)
        for name, value in facts.items():
            if value not in (None, "", []):
                typer.echo(f"{name:<{width}}  {self.coloured(shown(value))}")

    def models(self, rows: Sequence[T], columns: Columns[T], *, nothing: str) -> None:
        """A list: `{"items": […]}` in JSON, or a table; `nothing` is said when it is empty."""
        if self.is_json:
            items = [row.model_dump(mode="json") for row in rows if isinstance(row, BaseModel)]
            self.document({"items": items})
            return
        if not rows:
            typer.echo(nothing)
            return
        cells = [[shown(read(row)) for read in columns.values()] for row in rows]
        for line in self._table([name.upper() for name in columns], cells):
            typer.echo(line)

    def coloured(self, text: str) -> str:
        """The text in the colour of what it says, if it says something that has one."""
        colour = _COLOURS.get(text) if self._has_colours else None
        return typer.style(text, fg=colour) if colour else text

    def strong(self, text: str) -> str:
        """The text in bold."""
        return typer.style(text, bold=True) if self._has_colours else text

    def faint(self, text: str) -> str:
        """The text dimmed."""
        return typer.style(text, dim=True) if text and self._has_colours else text

    def _table(self, header: list[str], cells: list[list[str]]) -> Iterable[str]:
        widths = [max(len(row[column]) for row in [header, *cells]) for column in range(len(header))]
        yield self.faint("  ".join(name.ljust(width) for name, width in zip(header, widths, strict=True)).rstrip())
        for row in cells:
            padded = [self.coloured(cell) + " " * (width - len(cell)) for cell, width in zip(row, widths, strict=True)]
            yield "  ".join(padded).rstrip()


def shown(value: object) -> str:
    """A value as people read it, on one line and without control characters."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return ago(value)
    if isinstance(value, list):
        return ", ".join(shown(item) for item in cast("list[object]", value)) or "-"
    return safe_line(str(value).replace("\n", " "), keeps_colours=False)


def ago(moment: datetime, *, now: datetime | None = None) -> str:
    """How long ago something was, in its largest unit."""
    seconds = int(((now or datetime.now(UTC)) - moment).total_seconds())
    is_future, seconds = seconds < 0, abs(seconds)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            amount = f"{seconds // length} {unit}"
            return f"in {amount}" if is_future else f"{amount} ago"
    return f"in {seconds} s" if is_future else f"{seconds} s ago"


def size_text(size: float) -> str:
    """Bytes in the unit that fits (1 kB = 1000 bytes)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
