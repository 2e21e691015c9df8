"""Tables of pages: each cell says which column it is of, for phones, where cells stand below each other."""

import re
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Final

_TABLE: Final = re.compile(r"<table>.*?</table>", re.DOTALL)
_HEADING: Final = re.compile(r'<th scope="col">([^<]*)</th>')
_ROW: Final = "<tr"
_CELL: Final = "<td"


def name_cells(page: str) -> str:
    """The page with a `data-of` on each cell of its plain tables; values are escaped, so that no `<td` is one's own."""
    return _TABLE.sub(lambda found: _named(found[0]), page) if "<table>" in page else page


def _named(table: str) -> str:
    cells = [f'{_CELL} data-of="{name}"' for name in _HEADING.findall(table)]
    return _ROW.join(_named_row(row, cells) for row in table.split(_ROW))


def _named_row(row: str, cells: Sequence[str]) -> str:
    """A row whose cells begin as the columns say; one beyond the last column begins as it did."""
    before, *rest = row.split(_CELL)
    begun = zip(chain(cells, repeat(_CELL)), rest, strict=False)
    return before + "".join(map("".join, begun))
