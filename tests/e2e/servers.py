"""PostgreSQL and Redis as a user runs them: Debian's own, apart from Towline."""

import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection

from tests.ports import free_port
from tests.running import wait_for

_PASSWORD = "p@ss/w:rd?"
_QUOTED = "p%40ss%2Fw%3Ard%3F"


@contextmanager
def running_postgres() -> Generator[str]:
    """The URL of an empty database of Debian's PostgreSQL, over TCP with a password."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="towline-e2e-postgres-"))
    shutil.chown(folder, "postgres", "postgres")
    (folder / "password").write_text(_PASSWORD)
    (folder / "password").chmod(0o644)
    cluster, port = folder / "cluster", free_port()
    options = ["--auth=scram-sha-256", "--username=admin", f"--pwfile={folder}/password", "--no-sync"]
    _as_postgres(folder, programs / "initdb", "--pgdata", cluster, *options)
    settings = [f"-cport={port}", "-clisten_addresses=127.0.0.1", f"-cunix_socket_directories={folder}", "-cfsync=off"]
    command = [programs / "postgres", "-D", cluster, *settings]
    with subprocess.Popen(
        command,
        user="postgres",
        group="postgres",
        extra_groups=[],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_for(lambda: _is_listening(port))
            admin = f"postgresql://admin:{_QUOTED}@127.0.0.1:{port}"
            wait_for(lambda: _psql(programs, f"{admin}/postgres", "CREATE DATABASE apps"))
            yield f"postgresql+asyncpg://admin:{_QUOTED}@127.0.0.1:{port}/apps"
        finally:
            server.terminate()
            server.wait(20)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_redis(folder: Path) -> Generator[str]:
    """The URL of Debian's Redis on a loopback port, with a password."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", "secret-of-redis", "--dir", str(folder)]
    with subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: _is_listening(port))
            yield f"redis://:secret-of-redis@127.0.0.1:{port}/3"
        finally:
            server.terminate()


def _as_postgres(folder: Path, *command: str | Path) -> None:
    subprocess.run(
        command, user="postgres", group="postgres", extra_groups=[], cwd=folder, check=True, capture_output=True
    )


def _psql(programs: Path, url: str, statement: str) -> bool:
    command = [programs / "psql", "-X", "-q", url, "-c", statement]
    return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0


def _is_listening(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
