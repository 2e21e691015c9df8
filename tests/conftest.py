"""Real PostgreSQL and Valkey for every test session, started by Towline's own supervisor."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from towline.supervise.binaries import list_postgres_folders

_TEMPLATE = "towline"
_SHARED = "shared"
_EMPTY = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET session_replication_role = replica;
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
    END $$;
    ALTER SEQUENCE event_numbers RESTART;
"""


@dataclass(frozen=True, slots=True)
class Servers:
    """The embedded servers of one test session."""

    folder: Path
    database_url: str
    redis_url: str

    def sql(self, statement: str, *, role: str = "towline", database: str = "postgres") -> None:
        """Run one statement outside any transaction."""
        sockets = self.database_url.partition("host=")[2]
        place = ["-h", sockets, "-U", role, "-d", database]
        subprocess.run([_psql(), "-X", "-q", "-o", os.devnull, *place, "-c", statement], check=True, timeout=60)

    def create(self, database: str) -> str:
        """The URL of another migrated database, made anew."""
        self.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", role="towline_admin")
        self.sql(f"CREATE DATABASE {database} TEMPLATE {_TEMPLATE}")
        return self.url_of(database)

    def url_of(self, database: str) -> str:
        """URL of another database of the same server."""
        return self.database_url.replace(f"/{_TEMPLATE}?", f"/{database}?")


def wait_until(is_true: Callable[[], object], *, timeout: float = 10, interval: float = 0.02) -> None:
    """Return once `is_true()` is; fail when that takes too long."""
    deadline = time.monotonic() + timeout
    while not is_true():
        assert time.monotonic() < deadline, f"not true within {timeout} s"
        time.sleep(interval)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the servers, so that a lane can go without."""
    for item in items:
        if isinstance(item, pytest.Function) and "servers" in item.fixturenames:
            item.add_marker("servers")


@pytest.fixture(scope="session")
def data_folder_base() -> Iterator[Path]:
    """A folder that the database servers' own account can pass through (pytest's tmp_path is closed to it)."""
    folder = Path(tempfile.mkdtemp(prefix="towline-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers(data_folder_base: Path) -> Iterator[Servers]:
    """PostgreSQL (with the migrated template database) and Valkey; both end with the session, even a killed one."""
    folder = data_folder_base / "servers"
    arguments = ["internal", "databases", "--data", str(folder), "--leash", str(os.getpid())]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOWLINE_")}
    log = data_folder_base / "servers.log"
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "towline", *arguments], env=environment, stdout=output, stderr=output
        )
    status_file = folder / "run" / "status.json"
    try:
        wait_until(lambda: supervisor.poll() is not None or _are_ready(status_file), timeout=60)
        assert supervisor.poll() is None, log.read_text()
        urls = json.loads(status_file.read_text())["urls"]
        found = Servers(folder, urls["database"], urls["redis"])
        found.sql("ALTER SYSTEM SET fsync = off", role="towline_admin")
        found.sql("SELECT pg_reload_conf()", role="towline_admin")
        yield found
    finally:
        supervisor.terminate()
        supervisor.wait(60)


@pytest.fixture(scope="session")
def migrated_servers(servers: Servers) -> Servers:
    """The servers, with every migration run in the template database."""
    environment = {**os.environ, "TOWLINE_DATABASE_URL": servers.database_url}
    subprocess.run([sys.executable, "-m", "towline", "internal", "migrate"], env=environment, check=True, timeout=60)
    return servers


@pytest.fixture(scope="session")
def database_name(migrated_servers: Servers) -> str:
    """A migrated database for the tests of this process, one after the other."""
    migrated_servers.create(_SHARED)
    return _SHARED


@pytest.fixture(scope="session")
def empty_database(migrated_servers: Servers, database_name: str) -> Iterator[Callable[[], None]]:
    """Empties that database, in one connection for all tests."""
    sockets = migrated_servers.database_url.partition("host=")[2]
    command = [_psql(), "-XqAt", "-h", sockets, "-U", "towline_admin", "-d", database_name, "-v", "ON_ERROR_STOP=1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        lines, answers = shell.stdin, shell.stdout

        def empty() -> None:
            lines.write(f"{_EMPTY}\n\\echo empty\n")
            lines.flush()
            while (line := answers.readline()) != "empty\n":
                assert line, "the database cannot be emptied"

        yield empty
        lines.close()


@pytest.fixture
def postgres_url(migrated_servers: Servers, database_name: str, empty_database: Callable[[], None]) -> str:
    """URL of a migrated database without a row, a lock or a connection; a fresh one for each test costs ten times."""
    empty_database()
    return migrated_servers.url_of(database_name)


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """URL of an empty Valkey."""
    return empty_redis(servers)


def empty_redis(servers: Servers) -> str:
    """Empty the session's Valkey; its URL."""
    _redis_command(servers.redis_url, b"FLUSHALL\r\n")
    return servers.redis_url


def _are_ready(status_file: Path) -> bool:
    if not status_file.exists():
        return False
    parts = json.loads(status_file.read_text())["parts"]
    return bool(parts) and all(part["state"] == "ready" for part in parts.values())


def _psql() -> str:
    found = [folder / "psql" for folder in list_postgres_folders() if (folder / "psql").exists()]
    return str(found[0])


def _redis_command(url: str, command: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(url.removeprefix("unix://").partition("?")[0])
        connection.sendall(command)
        assert connection.recv(64).startswith(b"+OK")
