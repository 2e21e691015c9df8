"""The step between the database's start and the platform's: `python -m towline internal migrate`."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from towline.actions.first_look import is_prepared, newest_revision
from towline.errors import TowlineError
from towline.infra.lazily import load
from towline.supervise.layout import Layout


def main(_arguments: Sequence[str]) -> int:
    """Bring the schema of TOWLINE_DATABASE_URL up to date; then check the key file of TOWLINE_DATA_DIR, if given.

    The exit code.
    """
    data = os.environ.get("TOWLINE_DATA_DIR")
    key_file = Layout(Path(data)).key_file if data else None
    try:
        revision = asyncio.run(_prepare(os.environ["TOWLINE_DATABASE_URL"], key_file))
    except TowlineError as error:
        sys.stderr.write(f"Error: {error.message} Try: {error.hint}\n")
        return error.exit_code
    sys.stderr.write(f"The database schema is at revision {revision}.\n")
    return 0


async def _prepare(url: str, key_file: Path | None) -> str:
    if key_file is not None and await is_prepared(url, key_file):
        return newest_revision()
    return cast("str", await load("towline.actions.preparation").prepare_database(url, key_file))
