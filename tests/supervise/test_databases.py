"""The embedded servers as the rest of the platform meets them."""

from pathlib import Path

from towline.actions.schema_version import is_current
from towline.infra.database import Database
from towline.supervise.probes import answers_redis


async def test_every_test_gets_a_migrated_database(postgres_url: str) -> None:
    database = Database(postgres_url, pool_size=1)
    try:
        assert await is_current(database)
    finally:
        await database.close()


def test_valkey_answers_on_its_socket(redis_url: str) -> None:
    assert answers_redis(Path(redis_url.removeprefix("unix://").partition("?")[0]))
