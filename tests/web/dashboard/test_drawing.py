"""Pictures as numbers: where services stand."""

from towline.web.dashboard.drawing import Graph, phone_graph, service_graph

_NEEDS = [{"service": name, "depends_on": "store"} for name in ("api", "a" * 40)]


def _places(graph: Graph) -> dict[str, tuple[int, int]]:
    return {node.name: (node.x, node.y) for node in graph.nodes}


def test_services_stand_in_columns_and_a_curve_leads_to_who_needs_them() -> None:
    graph = service_graph([["alone", "store"], ["api", "a" * 40]], _NEEDS)
    places = _places(graph)
    assert places["store"][0] < places["api"][0] == places["a" * 40][0]
    assert places["store"][1] == places["api"][1] < places["a" * 40][1]
    assert "alone" not in places
    assert len(graph.curves) == 2
    assert max(x for x, _ in places.values()) + graph.node_width < graph.width
    assert graph.nodes[-1].label == "a" * 15 + "…"
    assert service_graph([], []).nodes == []


def test_on_phones_services_stand_below_what_they_need_and_no_wider_than_the_page() -> None:
    needs = [{"service": name, "depends_on": "store"} for name in ("api", "jobs", "search")]
    graph = phone_graph([["alone", "store"], ["api", "jobs", "search"]], needs)
    places = _places(graph)
    assert places["store"][1] < places["api"][1] == places["jobs"][1] < places["search"][1]
    assert places["store"][0] == places["search"][0] == (graph.width - graph.node_width) // 2
    assert "alone" not in places
    assert len(graph.curves) == 3
    assert max(x for x, _ in places.values()) + graph.node_width <= graph.width <= 334
    assert max(y for _, y in places.values()) + 52 < graph.height
    assert phone_graph([], []).nodes == []
