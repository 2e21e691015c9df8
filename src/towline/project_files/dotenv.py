"""NAME=VALUE lines, as dotenv files have them: read and written."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from towline.errors import InvalidInput

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_ESCAPES: Final = {"\\n": "\n", "\\r": "\r", '\\"': '"', "\\\\": "\\"}


def read_lines(lines: Iterable[str], *, where: str) -> Iterator[tuple[str, str]]:
    """NAME=VALUE lines: comments, `export`, and values in single or double quotes.

    Nothing is expanded: a `$` stays a `$`. InvalidInput names the line that is none.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("export ").lstrip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"Line {number} of {where} is not NAME=VALUE.")
        yield name.strip(), _unquoted(value.strip())


def write_line(name: str, value: str) -> str:
    """One line that `read_lines` reads as the same name and value."""
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    quoted = value
    for escape, character in reversed(_ESCAPES.items()):
        quoted = quoted.replace(character, escape)
    return f'{name}="{quoted}"'


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "'\"":
        return value
    inner = value[1:-1]
    if value[0] == "'":
        return inner
    return re.sub(r'\\[nr"\\]', lambda match: _ESCAPES[match[0]], inner)
