"""Pictures as numbers: where services stand."""

from towline.web.dashboard.drawing import service_graph


def test_services_stand_in_columns_and_a_curve_leads_to_who_needs_them() -> None:
    graph = service_graph([["store"], ["api", "mail"]], [{"service": "api", "depends_on": "store"}])
    places = {node.name: (node.x, node.y) for node in graph.nodes}
    assert places["store"][0] < places["api"][0] == places["mail"][0]
    assert places["api"][1] < places["mail"][1]
    assert len(graph.curves) == 1
    assert max(x for x, _ in places.values()) < graph.width
    assert service_graph([["a" * 40]], []).nodes[0].label == "a" * 19 + "…"
    assert service_graph([], []).nodes == []
