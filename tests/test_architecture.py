"""Limits that keep the code readable and its layers apart; they hold for every file, without exemptions."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection

from towline.actions.schema import migration_config
from towline.infra.database import Database

_ROOT = Path(__file__).parent.parent
_LONGEST_FILE = 400
_LONGEST_FUNCTION = 40


def _sources() -> list[Path]:
    return sorted(path for folder in ("src", "tests", "bench") for path in (_ROOT / folder).rglob("*.py"))


def test_no_file_is_longer_than_400_lines() -> None:
    too_long = {path: count for path in _sources() if (count := len(path.read_text().splitlines())) > _LONGEST_FILE}
    assert not too_long


def test_no_function_is_longer_than_40_lines() -> None:
    too_long = [
        f"{path.relative_to(_ROOT)}:{node.lineno} {node.name}"
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= _LONGEST_FUNCTION
    ]
    assert not too_long


@pytest.mark.timeout(120)
def test_layers_import_downwards_only() -> None:
    checked = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=_ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_models_and_migrations_agree(postgres_url: str) -> None:
    def compare(connection: Connection) -> None:
        config = migration_config()
        config.attributes["connection"] = connection
        command.check(config)

    database = Database(postgres_url, pool_size=1)
    try:
        async with database.connection() as connection:
            await connection.run_sync(compare)
    finally:
        await database.close()


def test_every_folder_of_the_package_is_a_package() -> None:
    package = _ROOT / "src" / "towline"
    folders = {path.parent for path in package.rglob("*.py") if "migrations" not in path.parts}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]
