"""The embedded PostgreSQL: its configuration, and what it refuses."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import wait_until
from tests.supervise.conftest import Run

from towline.actions.schema import migrate
from towline.actions.schema_version import is_current
from towline.errors import Conflict
from towline.infra.database import Database
from towline.supervise.binaries import list_postgres_folders
from towline.supervise.layout import Layout
from towline.supervise.postgres import account_map, postgres_settings, postgres_url, settings_file
from towline.supervise.program import SystemUser
from towline.supervise.system_user import check_reachable

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="an account of its own needs root")


def test_settings_keep_the_server_small_and_off_the_network() -> None:
    settings = postgres_settings(major=15, socket_folder=Path("/run/x"))
    assert settings["listen_addresses"] == ""
    assert settings["unix_socket_directories"] == '"/run/x"'
    assert "io_method" not in settings
    assert postgres_settings(major=18, socket_folder=Path("/run/x"))["io_method"] == "sync"


def test_values_with_quotes_stay_values() -> None:
    assert settings_file({"a": "it's"}) == "a = 'it''s'\n"


def test_accounts_are_mapped_to_both_roles() -> None:
    assert account_map(["root"]) == 'towline "root" towline\ntowline "root" towline_admin\n'


def test_the_url_carries_any_folder_name() -> None:
    assert postgres_url(Path("/a b")) == "postgresql+asyncpg://towline@/towline?host=/a%20b"


def test_a_cluster_of_another_major_version_is_refused_with_both_named(running: Run, start: Callable[..., Run]) -> None:
    running.stop()
    (running.layout.postgres / "PG_VERSION").write_text("12\n")
    refused = start()
    assert refused.process.wait(20) == 5
    assert refused.process.stderr is not None
    message = refused.process.stderr.read().decode()
    assert "PostgreSQL 12" in message
    assert "postgresql-12" in message


def test_a_stale_lock_naming_another_program_does_not_keep_the_server_down(
    running: Run, start: Callable[..., Run]
) -> None:
    lock = running.layout.postgres / "postmaster.pid"
    content = lock.read_text()
    running.stop()
    lock.write_text(content.replace(content.split("\n", 1)[0], str(os.getpid()), 1))
    following = start()
    wait_until(following.is_ready)


@pytest.mark.slow
def test_an_unfinished_first_start_leaves_no_half_cluster(layout: Layout, start: Callable[..., Run]) -> None:
    layout.prepare()
    (layout.root / "postgres.new").mkdir()
    (layout.root / "postgres.new" / "PG_VERSION").write_text("18\n")
    run = start()
    wait_until(run.is_ready, timeout=30)
    assert not (layout.root / "postgres.new").exists()


@needs_root
def test_other_accounts_of_the_machine_cannot_connect(running: Run) -> None:
    psql = next(folder / "psql" for folder in list_postgres_folders())
    arguments = [str(psql), "-X", "-h", str(running.layout.sockets / "postgres"), "-U", "towline", "-c", "SELECT 1"]
    refused = subprocess.run(arguments, user="nobody", extra_groups=[], check=False, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "Permission denied" in refused.stderr


@needs_root
def test_a_closed_parent_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(Conflict, match="cannot pass through") as caught:
        check_reachable(tmp_path / "data" / "postgres", SystemUser("nobody", 65534, 65534))
    assert "chmod o+x" in caught.value.hint


@pytest.mark.slow
async def test_debians_postgresql_serves_as_well(start: Callable[..., Run]) -> None:
    newest = _newest_system_postgres()
    run = start(environment={"TOWLINE_POSTGRES_BINARIES": str(newest)})
    wait_until(run.is_ready, timeout=30)
    database = Database(run.status.urls["database"], pool_size=1)
    try:
        await migrate(database)
        assert await is_current(database)
    finally:
        await database.close()


def _newest_system_postgres() -> Path:
    return max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3])).parent
