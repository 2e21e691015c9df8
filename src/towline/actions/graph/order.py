"""Order: cycles, levels and closures of a graph that maps each node to the nodes it needs."""

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

Graph = Mapping[str, Collection[str]]
"""Each node and what it needs; a node that is only named as a need counts as a node without needs of its own."""


def find_cycle(graph: Graph) -> tuple[str, ...]:
    """A cycle as a path along the needs, its first node again at its end; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib lists each node before the one that needs it
        path: list[str] = error.args[1]
        return tuple(reversed(path))
    return ()


def find_path(graph: Graph, start: str, end: str) -> tuple[str, ...]:
    """The shortest path along the needs from one node to another; empty when there is none."""
    came_from: dict[str, str] = {start: ""}
    edge = [start]
    while edge and end not in came_from:
        edge = [_note(came_from, need, node) for node in edge for need in graph.get(node, ()) if need not in came_from]
    if end not in came_from:
        return ()
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return tuple(reversed(path))


def to_levels(graph: Graph) -> list[tuple[str, ...]]:
    """Nodes in steps: each step needs only what is in earlier ones, and each node is in the earliest that it can be."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    levels: list[tuple[str, ...]] = []
    while sorter.is_active():
        levels.append(tuple(sorted(sorter.get_ready())))
        sorter.done(*levels[-1])
    return levels


def to_order(graph: Graph) -> tuple[str, ...]:
    """All nodes, each behind everything it needs."""
    return tuple(node for level in to_levels(graph) for node in level)


def needs_of(graph: Graph, roots: Iterable[str]) -> frozenset[str]:
    """Everything that the roots need, directly or not; the roots themselves are left out unless another needs them."""
    found: set[str] = set()
    edge = set(roots)
    while edge:
        edge = {need for node in edge for need in graph.get(node, ())} - found
        found |= edge
    return frozenset(found)


def reversed_graph(graph: Graph) -> dict[str, frozenset[str]]:
    """Each node and who needs it."""
    users: dict[str, set[str]] = {node: set() for node in graph}
    for node, needs in graph.items():
        for need in needs:
            users.setdefault(need, set()).add(node)
    return {node: frozenset(found) for node, found in users.items()}


def limited_to(graph: Graph, nodes: Collection[str]) -> dict[str, frozenset[str]]:
    """The graph of some nodes; a need that leads through a node left out leads to what that one needs."""
    kept = frozenset(nodes)
    return {node: frozenset(_kept_needs(graph, node, kept)) for node in kept}


def _kept_needs(graph: Graph, node: str, kept: frozenset[str]) -> Iterable[str]:
    seen: set[str] = set()
    edge = set(graph.get(node, ()))
    while edge:
        seen |= edge
        yield from edge & kept
        edge = {need for passed in edge - kept for need in graph.get(passed, ())} - seen


def _note(came_from: dict[str, str], need: str, node: str) -> str:
    came_from[need] = node
    return need
