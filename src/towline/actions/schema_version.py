"""Whether the database schema is up to date; apart from schema.py, since Alembic would cost every process 12 MB."""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from towline.infra.database import Database

_VERSIONS = Path(__file__).parent.parent / "migrations" / "versions"


def newest_revision() -> str:
    """The last migration this version knows; files are named `NNNN_what.py` after their revision."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))


async def is_current(database: Database) -> bool:
    """Whether every migration this version knows has run."""
    try:
        async with database.connection() as connection:
            revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return False
    return revision == newest_revision()
