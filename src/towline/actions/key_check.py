"""Whether the key file belongs to the database; asked before anything starts, since a wrong one would split secrets."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.first_look import KEY_CHECK_CONTEXT, KEY_CHECK_TEXT
from towline.actions.sealed_columns import SEALED, count_by_key
from towline.errors import KeyMismatch
from towline.infra.database import Database
from towline.infra.key_file import KeyFile
from towline.infra.secrets import SecretBox, load_secret_box
from towline.models.key_checks import KeyCheck


async def ensure_key_matches(database: Database, path: Path) -> None:
    """Return when the key file opens what the database holds; both are new at the first start.

    KeyMismatch otherwise, without making or changing anything.
    """
    async with database.transaction() as work:
        sealed = await work.session.scalar(select(KeyCheck.value))
        if sealed is not None and not KeyFile(path).exists():
            raise _mismatch(f"The key file {path} is missing.")
        box = load_secret_box(path)
        if not await _fits(work.session, box, sealed):
            raise _mismatch(f"The key file {path} does not belong to this database.")
        if sealed is None:
            value = box.seal(KEY_CHECK_TEXT, context=KEY_CHECK_CONTEXT)
            await work.session.execute(insert(KeyCheck).values(id=1, value=value).on_conflict_do_nothing())


async def _fits(session: AsyncSession, box: SecretBox, sealed: bytes | None) -> bool:
    if sealed is not None:
        try:
            return box.open_text(sealed, context=KEY_CHECK_CONTEXT) == KEY_CHECK_TEXT
        except KeyMismatch:
            return False
    # A database from before there was a check: one value that opens is enough, none at all is a new one.
    known = {key.identifier.hex() for key in box.list_keys()} | {""}
    found = [key_id for column in SEALED for key_id in await count_by_key(session, box, column)]
    return not found or bool(known & set(found))


def _mismatch(message: str) -> KeyMismatch:
    hint = "Put the key file back that was used with this database, readable by its owner alone, and start again."
    return KeyMismatch(message, hint=hint)
