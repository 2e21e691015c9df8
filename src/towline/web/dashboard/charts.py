"""Charts as plain numbers that a template puts into SVG: lines over time, with axes and what they say in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

WIDTH: Final = 360
HEIGHT: Final = 150
LEFT, TOP, RIGHT, BOTTOM = 66, 8, 8, 20
_GAP_STEPS: Final = 2.5
_CORES: Final = " cores"
_RATIOS: Final = (1, 2, 2.5, 5, 10)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: where it is, and what it says."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name, and the path of what is known of it."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture: lines from the left (old) to the right (now), ticks of both axes, and the same in words."""

    title: str
    lines: Sequence[Line]
    rows: Sequence[Tick]
    columns: Sequence[Tick]
    summary: str

    @property
    def left(self) -> int:
        """Where the lines begin; what the rows say stands before it."""
        return LEFT

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(line.path for line in self.lines)


@dataclass(frozen=True, slots=True)
class Series:
    """What a chart shows: names of the points' fields with what each is called, and how a value is said."""

    title: str
    fields: Mapping[str, str]
    say: Callable[[float], str]
    least_top: float


def usage_charts(history: Json) -> list[Chart]:
    """The charts of a service, by an answer of `metrics.history`; those of nothing known are left out."""
    charts = [_chart(series, history) for series in _SERIES]
    return [chart for chart in charts if not chart.is_empty]


def cores(value: float) -> str:
    """CPU as people say it: `0.12 cores`."""
    return (f"{value:.2f}" if value < 10 else f"{value:.0f}") + _CORES


def sized(value: float) -> str:
    """A number of bytes: `12.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if value >= 100 or unit == "B" else f"{value:.1f} {unit}"


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"


def _chart(series: Series, history: Json) -> Chart:
    points = history["points"]
    begin, end = (datetime.fromisoformat(history[name]) for name in ("begins_at", "ends_at"))
    times = [(datetime.fromisoformat(point["at"]) - begin).total_seconds() for point in points]
    values = {name: [point[name] for point in points] for name in series.fields}
    known = [value for many in values.values() for value in many if value is not None]
    top, length = _round_top(max(known, default=0), series.least_top), (end - begin).total_seconds()
    scale = _Scale(top, length, history["step_seconds"])
    return Chart(
        title=series.title,
        lines=[Line(name, scale.path(times, values[field])) for field, name in series.fields.items()],
        rows=[Tick(scale.y(top * part / 2), series.say(top * part / 2).removesuffix(_CORES)) for part in range(3)],
        columns=list(_columns(begin, end, scale)),
        summary="; ".join(_words(series, name, values[field]) for field, name in series.fields.items()),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """From seconds and values to places in the picture."""

    top: float
    length: float
    step: float

    def x(self, seconds: float) -> float:
        return round(LEFT + seconds / self.length * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM), 1)

    def path(self, times: Sequence[float], values: Sequence[float | None]) -> str:
        """A line through what is known; it is broken where nothing was measured for some steps."""
        parts: list[str] = []
        last = float("-inf")
        for seconds, value in zip(times, values, strict=True):
            if value is None:
                continue
            is_near = seconds - last <= self.step * _GAP_STEPS
            place = f"{self.x(seconds + self.step / 2)} {self.y(value)}"
            parts.append(f"L{place}" if is_near else f"M{place}h.1")
            last = seconds
        return "".join(parts)


def _round_top(most: float, least: float) -> float:
    """The end of an axis: a round number not below what is shown."""
    power = least
    while True:
        for ratio in _RATIOS:
            if most <= power * ratio:
                return power * ratio
        power *= 10


def _columns(begin: datetime, end: datetime, scale: _Scale) -> Iterator[Tick]:
    """Four marks; each says its time in UTC, which scripts turn into the reader's."""
    for part in (0, 1, 2, 3):
        moment = begin + (end - begin) * (part / 4 + 0.125)
        rounded = moment - timedelta(seconds=moment.second, microseconds=moment.microsecond)
        yield Tick(scale.x((rounded - begin).total_seconds()), rounded.isoformat())


def _words(series: Series, name: str, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return f"{name}: not measured"
    said = [series.say(value) for value in (known[-1], sum(known) / len(known), max(known))]
    return f"{name}: now {said[0]}, mean {said[1]}, at most {said[2]}"


_SERIES: Final = (
    Series("CPU, in cores", {"cpu": "CPU"}, cores, 0.1),
    Series("Memory", {"memory_bytes": "Memory"}, sized, 1024 * 1024),
    Series("Response time", {"request_ms": "Requests", "response_ms": "Health checks"}, _milliseconds, 1.0),
    Series("Requests", {"request_rate": "All", "failure_rate": "Failed"}, lambda value: f"{value:.1f}/s", 1.0),
    Series("Network", {"received_rate": "Received", "sent_rate": "Sent"}, lambda value: f"{sized(value)}/s", 1024.0),
)
