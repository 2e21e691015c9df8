"""What a bench program prints: figures beside their targets, as a table or as one JSON object."""

import argparse
import json
import os
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Better = Literal["lower", "higher"]
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that is measured, and what it has to reach; no target means that one is set by the run itself."""

    name: str
    unit: str
    target: float | None
    better: Better = "lower"


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured of one figure; `reference` is the bare thing it was measured against."""

    figure: Figure
    value: float
    samples: Sequence[float]
    reference: str
    target: float

    @property
    def is_met(self) -> bool:
        """Whether the value is as good as the target."""
        return self.value <= self.target if self.figure.better == "lower" else self.value >= self.target

    def as_row(self) -> dict[str, Any]:
        """The result as it is printed with `--json`."""
        return {
            "figure": self.figure.name,
            "value": _rounded(self.value),
            "unit": self.figure.unit,
            "target": _rounded(self.target),
            "better": self.figure.better,
            "met": self.is_met,
            "n": len(self.samples),
            "min": _rounded(min(self.samples)),
            "max": _rounded(max(self.samples)),
            "reference": self.reference,
        }


def result(
    figure: Figure,
    samples: Sequence[float],
    *,
    reference: str,
    value: float | None = None,
    target: float | None = None,
) -> Result:
    """The result of a figure; its value is the median of the samples unless one is given."""
    wanted = target if target is not None else figure.target
    assert wanted is not None, f"{figure.name} has no target"
    return Result(figure, statistics.median(samples) if value is None else value, samples, reference, wanted)


@dataclass
class Run:
    """One run of a program: whether it is the quick one, and what it tells the reader on the way."""

    is_quick: bool
    notes: list[str] = field(default_factory=list[str])
    began_at: float = field(default_factory=time.monotonic)

    def rounds(self, title: str, *, quick: int, full: int, by: float) -> Iterator[int]:
        """Numbers of the rounds to run, told as they begin; a quick run starts none later than second `by`."""
        for number in range(quick if self.is_quick else full):
            if self.is_quick and number and self.seconds > by:
                self.tell(f"{title}: no time for more than {number}")
                return
            self.tell(f"{title} {number + 1}")
            yield number

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self.began_at

    def tell(self, line: str) -> None:
        """Say on standard error what is being done."""
        sys.stderr.write(f"  {line}\n")
        sys.stderr.flush()

    def note(self, line: str) -> None:
        """Keep a line to be printed below the table."""
        self.notes.append(line)


def run_program(name: str, figures: Sequence[Figure], measure: Callable[[Run], Sequence[Result]]) -> None:
    """Read the options, measure, and print the results. Missed targets are shown, not punished: the exit code is 0."""
    parser = argparse.ArgumentParser(prog=f"bench/{name}.py", description=", ".join(item.name for item in figures))
    parser.add_argument("--quick", action="store_true", help="measure less, within a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    run = Run(is_quick=options.quick)
    machine = describe_machine()
    results = measure(run)
    assert {item.figure for item in results} == set(figures), "a figure was not measured"
    sys.stdout.write(as_json(name, machine, results) if options.json else as_table(name, machine, results))
    if not options.json:
        sys.stdout.writelines(f"  {line}\n" for line in run.notes)


def as_json(name: str, machine: str, results: Sequence[Result]) -> str:
    """One JSON object on one line."""
    return json.dumps({"bench": name, "machine": machine, "results": [item.as_row() for item in results]}) + "\n"


def as_table(name: str, machine: str, results: Sequence[Result]) -> str:
    """A table for people."""
    rows = [("figure", "value", "target", "met", "n", "min", "max", "reference")]
    for row in (item.as_row() for item in results):
        sign = "≤" if row["better"] == "lower" else "≥"
        met = "yes" if row["met"] else "NO"
        value, target = f"{row['value']:g} {row['unit']}", f"{sign} {row['target']:g}"
        counts = (str(row["n"]), f"{row['min']:g}", f"{row['max']:g}")
        rows.append((row["figure"], value, target, met, *counts, row["reference"]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    return "\n".join([f"{name}: {machine}", "", *lines, ""]) + "\n"


def describe_machine() -> str:
    """The machine in a few words, with how busy it was when the run began."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [
        f"{os.cpu_count()} cores",
        f"{gigabytes:.0f} GB",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"load {os.getloadavg()[0]:.1f}",
    ]
    return ", ".join(parts)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that so many percent of all do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * percent) // 100) - 1))]


def in_words(samples: Sequence[float], *, unit: str = "s") -> str:
    """Median, least and most of samples."""
    return f"{statistics.median(samples):.3g} {unit} ({min(samples):.3g}-{max(samples):.3g}, n={len(samples)})"


def _end(number: int, frame: object) -> None:  # noqa: ARG001 - the signature of signal handlers
    """Leave by an exception, so that everything started is taken down."""
    sys.exit(128 + number)


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)
