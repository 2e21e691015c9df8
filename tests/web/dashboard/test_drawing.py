"""Pictures as numbers: where services stand, and lines through response times."""

from towline.web.dashboard.drawing import LINE_HEIGHT, LINE_WIDTH, service_graph, sparkline


def test_services_stand_in_columns_and_a_curve_leads_to_who_needs_them() -> None:
    graph = service_graph([["store"], ["api", "mail"]], [{"service": "api", "depends_on": "store"}])
    places = {node.name: (node.x, node.y) for node in graph.nodes}
    assert places["store"][0] < places["api"][0] == places["mail"][0]
    assert places["api"][1] < places["mail"][1]
    assert len(graph.curves) == 1
    assert max(x for x, _ in places.values()) < graph.width
    assert service_graph([["a" * 40]], []).nodes[0].label == "a" * 19 + "…"
    assert service_graph([], []).nodes == []


def test_a_line_stays_inside_its_picture_and_leaves_gaps_out() -> None:
    points = [tuple(map(float, point.split(","))) for point in sparkline([3.0, None, 0.0, 12.5]).split()]
    assert [x for x, _ in points] == [0, LINE_WIDTH * 2 / 3, LINE_WIDTH]
    assert all(0 <= y <= LINE_HEIGHT for _, y in points)
    assert sparkline([1.0]) == sparkline([None, 2.0]) == sparkline([]) == ""
    assert sparkline([0.0, 0.0])
