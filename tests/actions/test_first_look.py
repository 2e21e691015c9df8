"""The question whether a start finds everything prepared."""

import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from towline.actions.first_look import is_prepared, newest_revision
from towline.actions.preparation import prepare_database
from towline.config import Settings
from towline.infra.database import Database
from towline.infra.secrets import load_secret_box
from towline.supervise.layout import Layout


async def test_a_database_that_was_prepared_with_this_key_file_needs_no_closer_look(
    postgres_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "keys" / "secrets.key"
    assert not await is_prepared(postgres_url, path)
    assert not path.exists()
    assert await prepare_database(postgres_url, path) == newest_revision()
    assert await is_prepared(postgres_url, path)


async def test_another_key_file_or_an_open_one_is_looked_at_closely(postgres_url: str, tmp_path: Path) -> None:
    path, other = tmp_path / "keys" / "secrets.key", tmp_path / "others" / "secrets.key"
    await prepare_database(postgres_url, path)
    load_secret_box(other)
    assert not await is_prepared(postgres_url, other)
    assert not await is_prepared(postgres_url, tmp_path / "missing")
    path.chmod(0o644)
    assert not await is_prepared(postgres_url, path)


async def test_an_older_schema_is_looked_at_closely(postgres_url: str, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secrets.key"
    await prepare_database(postgres_url, path)
    database = Database(postgres_url, pool_size=1)
    try:
        async with database.transaction() as work:
            await work.session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        assert not await is_prepared(postgres_url, path)
    finally:
        async with database.transaction() as work:
            await work.session.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": newest_revision()})
        await database.close()


async def test_no_server_is_no_answer(tmp_path: Path) -> None:
    assert not await is_prepared(f"postgresql+asyncpg://towline@/towline?host={tmp_path}", tmp_path / "secrets.key")


def test_the_step_before_a_start_loads_no_database_library_unless_there_is_something_to_do() -> None:
    program = (
        "import sys, towline.supervise.migrate; sys.exit(bool({'sqlalchemy', 'alembic', 'pydantic'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_both_parts_mean_the_same_key_file(tmp_path: Path) -> None:
    assert Layout(tmp_path).key_file == Settings.model_validate({"data_dir": tmp_path}).key_file
