"""Pictures of the dashboard as plain numbers that templates put into SVG: the service graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_WIDTH, _HEIGHT = 176, 52
_GAP_X, _GAP_Y = 64, 20
_MARGIN: Final = 4
_LONGEST_NAME: Final = 20


@dataclass(frozen=True, slots=True)
class Node:
    """One service of the graph."""

    name: str
    label: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Graph:
    """Services from left to right in the order in which they start, and a curve from each to who needs it."""

    width: int
    height: int
    nodes: Sequence[Node]
    curves: Sequence[str]


def service_graph(levels: Sequence[Sequence[str]], dependencies: Sequence[Mapping[str, Any]]) -> Graph:
    """The picture of a project's dependencies; services that stand alone are below the others."""
    tied = {one[end] for one in dependencies for end in ("service", "depends_on")}
    columns = [sorted(level, key=lambda name: name not in tied) for level in levels]
    nodes = {name: _node(name, column, row) for column, level in enumerate(columns) for row, name in enumerate(level)}
    known = [one for one in dependencies if one["service"] in nodes and one["depends_on"] in nodes]
    return Graph(
        width=len(levels) * (_WIDTH + _GAP_X) - _GAP_X + 2 * _MARGIN,
        height=max((len(level) for level in levels), default=0) * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _MARGIN,
        nodes=list(nodes.values()),
        curves=[_curve(nodes[one["depends_on"]], nodes[one["service"]]) for one in known],
    )


def _node(name: str, column: int, row: int) -> Node:
    label = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    return Node(name, label, _MARGIN + column * (_WIDTH + _GAP_X), _MARGIN + row * (_HEIGHT + _GAP_Y))


def _curve(needed: Node, needing: Node) -> str:
    start_x, start_y = needed.x + _WIDTH, needed.y + _HEIGHT // 2
    end_x, end_y = needing.x, needing.y + _HEIGHT // 2
    bend = max((end_x - start_x) // 2, 16)
    return f"M{start_x} {start_y}C{start_x + bend} {start_y} {end_x - bend} {end_y} {end_x} {end_y}"
