"""The step between the database's start and the platform's: `python -m towline internal migrate`."""

import asyncio
import os
import sys
from collections.abc import Sequence

from towline.actions.schema import migrate
from towline.errors import TowlineError
from towline.infra.database import Database


def main(_arguments: Sequence[str]) -> int:
    """Bring the schema of TOWLINE_DATABASE_URL up to date; the exit code."""
    try:
        revision = asyncio.run(_migrate(os.environ["TOWLINE_DATABASE_URL"]))
    except TowlineError as error:
        sys.stderr.write(f"Error: {error.message} Try: {error.hint}\n")
        return error.exit_code
    sys.stderr.write(f"The database schema is at revision {revision}.\n")
    return 0


async def _migrate(url: str) -> str:
    database = Database(url, pool_size=1)
    try:
        return await migrate(database)
    finally:
        await database.close()
