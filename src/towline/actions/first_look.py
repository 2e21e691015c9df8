"""Whether a start finds everything prepared; asked with few imports, since most starts do."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from towline.errors import KeyMismatch
from towline.infra.first_look import find_first_row
from towline.infra.key_file import KeyFile
from towline.infra.secrets import SecretBox

KEY_CHECK_CONTEXT: Final = "key-check"
KEY_CHECK_TEXT: Final = "This key file belongs to this database."
_VERSIONS: Final = Path(__file__).parent.parent / "migrations" / "versions"
_REVISION: Final = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
_BEFORE: Final = re.compile(r'^down_revision = "(\w+)"$', re.MULTILINE)
_QUESTION: Final = "SELECT version_num, (SELECT value FROM key_checks) FROM alembic_version"


@cache
def newest_revision() -> str:
    """The last migration this version knows: the one that no other comes after, whatever its number."""
    texts = [path.read_text() for path in _VERSIONS.glob("[0-9]*.py")]
    revisions, befores = ({found[1] for text in texts if (found := line.search(text))} for line in (_REVISION, _BEFORE))
    return max(revisions - befores)


async def is_prepared(database_url: str, key_file: Path) -> bool:
    """Whether every migration has run and the key file is known to belong to the database; changes nothing.

    False says only that it is worth a closer look.
    """
    row = await find_first_row(database_url, _QUESTION, newest_table="key_checks")
    if row is None or row[0] != newest_revision() or row[1] is None:
        return False
    try:
        file = KeyFile(key_file)
        box = SecretBox(file)
        file.check_mode()
        return box.open_text(row[1], context=KEY_CHECK_CONTEXT) == KEY_CHECK_TEXT
    except KeyMismatch:
        return False
