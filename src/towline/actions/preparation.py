"""What a database needs before the platform starts on it: the newest schema, and the key file it was made with."""

from pathlib import Path

from towline.actions.key_check import ensure_key_matches
from towline.actions.schema import migrate
from towline.infra.database import Database


async def prepare_database(url: str, key_file: Path | None) -> str:
    """Run the missing migrations, then check the key file, if one is given; the revision that is in force."""
    database = Database(url, pool_size=1)
    try:
        revision = await migrate(database)
        if key_file is not None:
            await ensure_key_matches(database, key_file)
        return revision
    finally:
        await database.close()
