"""The service graph as plain numbers that templates put into SVG: one picture for wide pages, one for phones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_HEIGHT: Final = 52
_MARGIN: Final = 4
_WIDE, _GAP_X, _GAP_Y = 176, 64, 20
_NARROW, _GAP_BESIDE, _GAP_BELOW, _GAP_WITHIN = 156, 12, 40, 12
_MOST_BESIDE: Final = 2
_LONGEST: Final = {_WIDE: 16, _NARROW: 13}
"""How many characters of a name fit into a box, by its width."""

Edges = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Node:
    """One service of the graph."""

    name: str
    label: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Graph:
    """Services in the order in which they start, and a curve from each to who needs it."""

    width: int
    height: int
    node_width: int
    nodes: Sequence[Node]
    curves: Sequence[str]


def service_graph(levels: Sequence[Sequence[str]], dependencies: Edges) -> Graph:
    """The picture from left to right."""
    columns = _tied(levels, dependencies)
    nodes = {
        name: _node(name, _MARGIN + column * (_WIDE + _GAP_X), _MARGIN + row * (_HEIGHT + _GAP_Y), _WIDE)
        for column, level in enumerate(columns)
        for row, name in enumerate(level)
    }
    return Graph(
        width=len(columns) * (_WIDE + _GAP_X) - _GAP_X + 2 * _MARGIN,
        height=max((len(level) for level in columns), default=0) * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _MARGIN,
        node_width=_WIDE,
        nodes=list(nodes.values()),
        curves=[_across(*ends) for ends in _pairs(nodes, dependencies)],
    )


def phone_graph(levels: Sequence[Sequence[str]], dependencies: Edges) -> Graph:
    """The picture from top to bottom, two beside each other at most."""
    nodes, y = dict[str, Node](), _MARGIN
    for names in _tied(levels, dependencies):
        for start in range(0, len(names), _MOST_BESIDE):
            line = names[start : start + _MOST_BESIDE]
            nodes |= {name: _node(name, x, y, _NARROW) for name, x in zip(line, _places(len(line)), strict=True)}
            y += _HEIGHT + _GAP_WITHIN
        y += _GAP_BELOW - _GAP_WITHIN
    return Graph(
        width=_PHONE,
        height=max(y - _GAP_BELOW, 0) + _MARGIN,
        node_width=_NARROW,
        nodes=list(nodes.values()),
        curves=[_down(*ends) for ends in _pairs(nodes, dependencies)],
    )


_PHONE: Final = _MOST_BESIDE * (_NARROW + _GAP_BESIDE) - _GAP_BESIDE + 2 * _MARGIN


def _tied(levels: Sequence[Sequence[str]], dependencies: Edges) -> Sequence[Sequence[str]]:
    """The levels without what needs nothing and is not needed; the list of services has those too."""
    tied = {one[end] for one in dependencies for end in ("service", "depends_on")}
    known = ([name for name in level if name in tied] for level in levels)
    return [level for level in known if level]


def _pairs(nodes: Mapping[str, Node], dependencies: Edges) -> Iterator[tuple[Node, Node]]:
    """What is needed, and what needs it."""
    for one in dependencies:
        if one["service"] in nodes and one["depends_on"] in nodes:
            yield nodes[one["depends_on"]], nodes[one["service"]]


def _places(count: int) -> range:
    """Where the boxes of a line begin, so that it stands in the middle."""
    taken = count * (_NARROW + _GAP_BESIDE) - _GAP_BESIDE
    start = (_PHONE - taken) // 2
    return range(start, start + taken, _NARROW + _GAP_BESIDE)


def _node(name: str, x: int, y: int, width: int) -> Node:
    longest = _LONGEST[width]
    return Node(name, name if len(name) <= longest else name[: longest - 1] + "…", x, y)


def _across(needed: Node, needing: Node) -> str:
    start_x, start_y = needed.x + _WIDE, needed.y + _HEIGHT // 2
    end_x, end_y = needing.x, needing.y + _HEIGHT // 2
    bend = max((end_x - start_x) // 2, 16)
    return f"M{start_x} {start_y}C{start_x + bend} {start_y} {end_x - bend} {end_y} {end_x} {end_y}"


def _down(needed: Node, needing: Node) -> str:
    start_x, start_y = needed.x + _NARROW // 2, needed.y + _HEIGHT
    end_x, end_y = needing.x + _NARROW // 2, needing.y
    bend = max((end_y - start_y) // 2, 16)
    return f"M{start_x} {start_y}C{start_x} {start_y + bend} {end_x} {end_y - bend} {end_x} {end_y}"
