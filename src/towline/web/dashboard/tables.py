"""Tables of pages: each cell says which column it is of, for phones, where cells stand below each other."""

import re
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Final

_TABLE: Final = re.compile(r"<table>.*?</table>", re.DOTALL)
_HEADING: Final = re.compile(r'<th scope="col">([^<]*)</th>')
_CELL: Final = re.compile(r"<td(?=[ >])")
_ROW: Final = "<tr"


def name_cells(page: str) -> str:
    """The page with a `data-of` on each cell of its plain tables; values are escaped, so that no `<td` is one's own."""
    return _TABLE.sub(lambda found: _named(found[0]), page) if "<table>" in page else page


def _named(table: str) -> str:
    names = _HEADING.findall(table)
    head, *rows = table.split(_ROW)
    return _ROW.join((head, *(_CELL.sub(_Namer(names), row) for row in rows)))


class _Namer:
    """Names the cells of one row, one after the other; one beyond the last column has no name."""

    def __init__(self, names: list[str]) -> None:
        self._names: Iterator[str] = chain(names, repeat(""))

    def __call__(self, found: re.Match[str]) -> str:
        return f'{found[0]} data-of="{next(self._names)}"'
