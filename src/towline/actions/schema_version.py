"""Whether the database schema is up to date; apart from schema.py, since Alembic would cost every process 12 MB."""

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from towline.actions.first_look import newest_revision
from towline.infra.database import Database


async def is_current(database: Database) -> bool:
    """Whether every migration this version knows has run."""
    try:
        async with database.connection() as connection:
            revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:
        return False
    return revision == newest_revision()
