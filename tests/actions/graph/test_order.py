"""Order: levels that are right and as few as can be, circles named by their path."""

from itertools import pairwise

from hypothesis import given, settings
from tests.actions.graph.graphs import Graph, graphs

from towline.actions.graph.order import find_cycle, find_path, limited_to, needs_of, reversed_graph, to_levels, to_order

some = settings(max_examples=25, deadline=None)


@some
@given(graphs())
def test_every_node_comes_once_and_behind_all_it_needs(graph: Graph) -> None:
    order = to_order(graph)
    place = {node: number for number, node in enumerate(order)}

    assert len(order) == len(graph) == len(place)
    assert all(place[need] < place[node] for node, needs in graph.items() for need in needs)


@some
@given(graphs())
def test_levels_are_as_few_as_the_longest_chain(graph: Graph) -> None:
    depth: dict[str, int] = {}
    for node in to_order(graph):
        depth[node] = 1 + max((depth[need] for need in graph[node]), default=-1)
    levels = to_levels(graph)

    assert {node: number for number, level in enumerate(levels) for node in level} == depth


@some
@given(graphs(largest=40))
def test_an_edge_against_the_order_is_found_as_a_circle_with_its_path(graph: Graph) -> None:
    assert find_cycle(graph) == ()
    for node in graph:
        for need in needs_of(graph, [node]):
            path = find_path(graph, node, need)
            assert (path[0], path[-1]) == (node, need)
            assert all(after in graph[before] for before, after in pairwise(path))
            closed = {**graph, need: graph[need] | {node}}
            circle = find_cycle(closed)
            assert circle[0] == circle[-1]
            assert all(after in closed[before] for before, after in pairwise(circle))
            return


@some
@given(graphs(largest=60))
def test_leaving_nodes_out_keeps_who_comes_before_whom(graph: Graph) -> None:
    kept = {node for number, node in enumerate(sorted(graph)) if number % 3}
    smaller = limited_to(graph, kept)

    assert {node: needs_of(smaller, [node]) for node in kept} == {node: needs_of(graph, [node]) & kept for node in kept}


@some
@given(graphs(largest=60))
def test_who_needs_a_node_is_whom_it_serves(graph: Graph) -> None:
    users = reversed_graph(graph)
    assert {(node, need) for node, needs in graph.items() for need in needs} == {
        (user, node) for node, found in users.items() for user in found
    }


def test_a_circle_is_told_along_the_needs() -> None:
    assert find_cycle({"web": {"api"}, "api": {"web"}}) in {("web", "api", "web"), ("api", "web", "api")}
    assert find_path({"web": {"api"}, "api": {"store"}, "store": ()}, "web", "store") == ("web", "api", "store")
