"""The database schema: bring it up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from towline.infra.database import Database

_LOCK = 7_420_001


def migration_config() -> Config:
    """Alembic's configuration for the migrations inside the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return config


async def migrate(database: Database) -> str:
    """Run the missing migrations, one process at a time; return the revision that is then in force."""
    async with database.engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        return await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> str:
    config = migration_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return _current_revision(connection)


def _current_revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""
