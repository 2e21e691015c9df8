"""Schedule: which nodes of a graph may begin now, and which never will because something they need has failed."""

from collections.abc import Iterable

from towline.actions.graph.order import Graph, limited_to, needs_of, reversed_graph, to_order


class Schedule:
    """Every node begins as soon as all it needs has succeeded, and not at all when some of that has failed.

    The graph must have no cycle (graphlib.CycleError otherwise).
    """

    def __init__(self, graph: Graph) -> None:
        self._users = reversed_graph(graph)
        self._missing = {node: set(graph.get(node, ())) for node in to_order(graph)}
        self._begun: set[str] = set()
        self.succeeded: set[str] = set()
        self.failed: set[str] = set()
        self.blocked: dict[str, str] = {}
        """Nodes that never begin, each with the failed node that is the cause."""

    @property
    def running(self) -> frozenset[str]:
        """Nodes that have begun and not ended."""
        return frozenset(self._begun - self.succeeded - self.failed)

    @property
    def is_over(self) -> bool:
        """Whether every node has ended or is blocked."""
        return len(self.succeeded) + len(self.failed) + len(self.blocked) == len(self._missing)

    def begin(self) -> tuple[str, ...]:
        """Every node that may begin and has not; from now on they count as running."""
        ready = sorted(node for node, missing in self._missing.items() if not missing and self._is_open(node))
        self._begun.update(ready)
        return tuple(ready)

    def succeed(self, node: str) -> None:
        """A running node has done what those that need it wait for."""
        self._end(node)
        self.succeeded.add(node)
        for user in self._users[node]:
            self._missing[user].discard(node)

    def fail(self, node: str) -> frozenset[str]:
        """A running node has failed; what can never begin because of it, told once."""
        self._end(node)
        self.failed.add(node)
        lost = needs_of(self._users, [node]) - set(self.blocked)
        self.blocked.update(dict.fromkeys(lost, node))
        return lost

    def _is_open(self, node: str) -> bool:
        return node not in self._begun and node not in self.blocked

    def _end(self, node: str) -> None:
        if node not in self.running:
            raise ValueError(f"{node} does not run")


def group_schedule(graph: Graph, *, late: Iterable[str]) -> Schedule:
    """The schedule of a group: `late` nodes wait for all others, and nobody for them but late ones.

    They are those whose old instance has to stop before the new one starts, and serves until then.
    """
    last = frozenset(late)
    early = [node for node in to_order(graph) if node not in last]
    after_all = {node: needs.union(early) for node, needs in limited_to(graph, last).items()}
    return Schedule({**limited_to(graph, early), **after_all})
