"""The step between the database's start and the platform's: `python -m towline internal migrate`."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from towline.actions.key_check import ensure_key_matches
from towline.actions.schema import migrate
from towline.config import Settings
from towline.errors import TowlineError
from towline.infra.database import Database


def main(_arguments: Sequence[str]) -> int:
    """Bring the schema of TOWLINE_DATABASE_URL up to date; then check the key file of TOWLINE_DATA_DIR, if given.

    The exit code.
    """
    key_file = Settings.from_environment(os.environ).key_file if "TOWLINE_DATA_DIR" in os.environ else None
    try:
        revision = asyncio.run(_migrate(os.environ["TOWLINE_DATABASE_URL"], key_file))
    except TowlineError as error:
        sys.stderr.write(f"Error: {error.message} Try: {error.hint}\n")
        return error.exit_code
    sys.stderr.write(f"The database schema is at revision {revision}.\n")
    return 0


async def _migrate(url: str, key_file: Path | None) -> str:
    database = Database(url, pool_size=1)
    try:
        revision = await migrate(database)
        if key_file is not None:
            await ensure_key_matches(database, key_file)
        return revision
    finally:
        await database.close()
