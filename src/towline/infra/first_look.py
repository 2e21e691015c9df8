"""One question to the database by its driver alone, for a start that cannot wait for SQLAlchemy."""

from collections.abc import Sequence
from typing import Any

import asyncpg

_SECONDS = 5
_SQLALCHEMY_SCHEME = "postgresql+asyncpg://"


async def find_first_row(url: str, statement: str) -> Sequence[Any] | None:
    """The first row's values; None when there is none, no such table, or no such server."""
    driver: Any = asyncpg  # its types are incomplete
    try:
        connection = await driver.connect(url.replace(_SQLALCHEMY_SCHEME, "postgresql://", 1), timeout=_SECONDS)
        try:
            row = await connection.fetchrow(statement, timeout=_SECONDS)
        finally:
            await connection.close(timeout=_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError, TimeoutError):
        return None
    return None if row is None else tuple(row.values())
