"""One question to the database by its driver alone, for a start that cannot wait for SQLAlchemy."""

from collections.abc import Sequence
from typing import Any

import asyncpg

_SECONDS = 5
_IS_THERE = "SELECT to_regclass($1::text) IS NOT NULL"
_SQLALCHEMY_SCHEME = "postgresql+asyncpg://"


async def find_first_row(url: str, statement: str, *, newest_table: str) -> Sequence[Any] | None:
    """The first row's values; None when there is none, no such server, or not yet `newest_table` of those asked."""
    driver: Any = asyncpg  # its types are incomplete
    try:
        connection = await driver.connect(url.replace(_SQLALCHEMY_SCHEME, "postgresql://", 1), timeout=_SECONDS)
        try:
            # Asking a table that is not there would be an error in PostgreSQL's log at every first start.
            is_there = await connection.fetchval(_IS_THERE, newest_table, timeout=_SECONDS)
            row = await connection.fetchrow(statement, timeout=_SECONDS) if is_there else None
        finally:
            await connection.close(timeout=_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError, TimeoutError):
        return None
    return None if row is None else tuple(row.values())
