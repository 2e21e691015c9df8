"""Tables on phones: every cell says by itself which column it is of."""

from towline.web.dashboard.tables import name_cells

HEAD = '<thead><tr><th scope="col">Service</th><th scope="col">Status</th></tr></thead>'


def test_each_cell_says_its_column_row_by_row() -> None:
    rows = '<tr id="a"><td>web</td><td class="text">Live</td></tr><tr><td>api</td><td></td></tr>'
    page = name_cells(f"<p>Before</p><table>{HEAD}<tbody>{rows}</tbody></table><p>Behind</p>")
    assert '<td data-of="Service">web</td><td data-of="Status" class="text">Live</td>' in page
    assert '<td data-of="Service">api</td><td data-of="Status"></td>' in page
    assert page.startswith("<p>Before</p><table>")


def test_what_is_no_plain_table_stays_as_it_was() -> None:
    for page in ("<p>Nothing</p>", f'<table class="matrix">{HEAD}<tr><td>yes</td></tr></table>', "<p>&lt;td&gt;</p>"):
        assert name_cells(page) == page
    assert "<td>more" in name_cells(f"<table>{HEAD}<tr><td>a</td><td>b</td><td>more</td></tr></table>")
