"""The embedded PostgreSQL: a cluster with a small footprint, on a socket only, reached by peer authentication."""

import hashlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from towline.errors import Conflict, Unavailable
from towline.supervise.binaries import choose_postgres_folder, postgres_major, reachable_postgres_folder
from towline.supervise.identity import read_identity
from towline.supervise.layout import Layout
from towline.supervise.program import Part, Program, SystemUser
from towline.supervise.spawn import run_to_end
from towline.supervise.system_user import check_reachable, current_user, get_server_user

ROLE = "towline"
DATABASE = "towline"
_SUPERUSER = "towline_admin"
_INIT_SECONDS = 120


def postgres_url(socket_folder: Path, database: str = DATABASE) -> str:
    """SQLAlchemy URL of a database of the embedded server."""
    return f"postgresql+asyncpg://{ROLE}@/{database}?host={quote(str(socket_folder))}"


def postgres_settings(*, major: int, socket_folder: Path) -> dict[str, str]:
    """Server settings: one small machine, one client program, nothing on the network."""
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": f'"{socket_folder}"',  # a list: quoted, a comma in the path is no separator
        "unix_socket_permissions": "0700",
        "max_connections": "60",
        "shared_buffers": "24MB",
        "work_mem": "4MB",
        "maintenance_work_mem": "32MB",
        "huge_pages": "off",
        "jit": "off",
        "max_worker_processes": "2",
        "max_parallel_workers_per_gather": "0",
        "max_logical_replication_workers": "0",
        "autovacuum_max_workers": "1",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "min_wal_size": "32MB",
        "max_wal_size": "256MB",
        "checkpoint_timeout": "15min",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "datestyle": "iso, mdy",
        "restart_after_crash": "on",
    }
    if major >= 18:
        settings["io_method"] = "sync"  # otherwise three more processes sit idle
        settings["autovacuum_worker_slots"] = "1"
    return settings


def access_rules() -> str:
    """pg_hba.conf: the socket only, and only for accounts the map names."""
    return "local all all peer map=towline\n"


def account_map(accounts: Sequence[str]) -> str:
    """pg_ident.conf: which accounts of this machine may be which database role."""
    pairs = [(account, role) for account in accounts for role in (ROLE, _SUPERUSER)]
    return "".join(f'towline "{account}" {role}\n' for account, role in pairs)


def settings_file(settings: Mapping[str, str]) -> str:
    """postgresql.conf."""
    quoted = ((name, value.replace("'", "''")) for name, value in settings.items())
    return "".join(f"{name} = '{value}'\n" for name, value in quoted)


def prepare_postgres(layout: Layout) -> Part:
    """Make the cluster where there is none, write its configuration, and say how to run it.

    Raises Conflict when the cluster is of another major version or out of the account's reach.
    """
    user = get_server_user()
    check_reachable(layout.postgres, user)
    data_major = find_cluster_major(layout.postgres)
    chosen = choose_postgres_folder(data_major)
    programs = reachable_postgres_folder(chosen, user=user, copies=layout.programs)
    major = data_major or _create_cluster(layout, programs, user=user)
    socket_folder = layout.sockets / "postgres"
    make_private_folder(socket_folder, user)
    configuration = _write_configuration(layout.postgres, major=major, socket_folder=socket_folder, user=user)
    return Part(
        name="postgres",
        title="PostgreSQL",
        program=Program(
            arguments=(str(programs / "postgres"), "-D", str(layout.postgres)),
            environment={"LC_ALL": "C", "PGTZ": "UTC"},
            log=layout.log_file("postgres"),
            folder=layout.postgres,
            user=user,
            umask=0o077,
        ),
        survives=True,
        revision=hashlib.sha256(configuration.encode()).hexdigest(),
        stop_signal=signal.SIGINT,  # fast shutdown: sessions are ended, nothing is lost
        stop_seconds=30,
        is_ready=lambda: is_accepting(layout.postgres),
        before_start=lambda: remove_stale_lock(layout.postgres),
    )


def find_cluster_major(cluster: Path) -> int | None:
    """Major version of the cluster in a folder, None when there is none."""
    try:
        return int((cluster / "PG_VERSION").read_text().strip().partition(".")[0])
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Conflict(
            f"{cluster / 'PG_VERSION'} does not hold a version number.", hint="Restore the data folder from a backup."
        ) from error


def is_accepting(cluster: Path) -> bool:
    """Whether the server says of itself, in the eighth line of postmaster.pid, that it accepts connections."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def remove_stale_lock(cluster: Path) -> None:
    """Remove the postmaster.pid of a dead server; Conflict when a live one holds the cluster.

    PostgreSQL itself only asks whether the id is in use, so an id given to another program would lock it out for ever.
    """
    lock = cluster / "postmaster.pid"
    try:
        process_id = int(lock.read_text().split("\n", 1)[0])
    except FileNotFoundError:
        return
    except ValueError:
        lock.unlink(missing_ok=True)
        return
    identity = read_identity(process_id)
    if (
        identity is not None
        and Path(identity.program).name in {"postgres", "postmaster"}
        and _works_in(cluster, process_id)
    ):
        raise Conflict(
            f"Another PostgreSQL (process {process_id}) already runs on {cluster}.",
            hint=f"Stop it with `kill -INT {process_id}`; Towline then starts its own.",
        )
    lock.unlink(missing_ok=True)


def make_private_folder(folder: Path, user: SystemUser) -> None:
    """A folder only `user` (and root) may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if folder.stat().st_uid != user.user_id:
        os.chown(folder, user.user_id, user.group_id)


def _works_in(cluster: Path, process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/cwd").samefile(cluster)
    except OSError:
        return False


def _create_cluster(layout: Layout, programs: Path, *, user: SystemUser) -> int:
    """Built beside its place and renamed into it, so a first start cut short leaves no half cluster."""
    unfinished = layout.root / "postgres.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    make_private_folder(unfinished, user)
    _run_checked(_initdb_arguments(programs, unfinished, major=postgres_major(programs)), user=user)
    statements = f"CREATE ROLE {ROLE} LOGIN CREATEDB;\nCREATE DATABASE {DATABASE} OWNER {ROLE};\n"
    _run_checked(
        (str(programs / "postgres"), "--single", "-D", str(unfinished), "postgres"), user=user, stdin=statements
    )
    major = find_cluster_major(unfinished)
    if major is None:
        raise Unavailable(f"initdb made no cluster in {unfinished}.")
    unfinished.rename(layout.postgres)
    return major


def _initdb_arguments(programs: Path, cluster: Path, *, major: int) -> tuple[str, ...]:
    unicode_rules = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if major >= 17 else ()
    return (
        *(str(programs / "initdb"), "-D", str(cluster), "-U", _SUPERUSER, "--encoding=UTF8", "--locale=C"),
        *("--auth-local=peer", "--auth-host=reject", "--wal-segsize=4", "--data-checksums"),
        *unicode_rules,
    )


def _write_configuration(cluster: Path, *, major: int, socket_folder: Path, user: SystemUser) -> str:
    accounts = sorted({current_user().name, user.name})
    files = {
        "postgresql.conf": settings_file(postgres_settings(major=major, socket_folder=socket_folder)),
        "pg_hba.conf": access_rules(),
        "pg_ident.conf": account_map(accounts),
    }
    for name, content in files.items():
        path = cluster / name
        path.write_text(content)
        path.chmod(0o600)
        os.chown(path, user.user_id, user.group_id)
    return "\n".join(files.values())


def _run_checked(arguments: Sequence[str], *, user: SystemUser, stdin: str = "") -> None:
    exit_code, output = run_to_end(
        arguments,
        timeout_seconds=_INIT_SECONDS,
        user=user,
        environment={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        folder=Path("/"),
        stdin=stdin,
    )
    if exit_code or "FATAL" in output or "ERROR" in output:
        raise Unavailable(
            f"{Path(arguments[0]).name} failed: {output.strip()[-500:]}",
            hint="Check free space and permissions of the data folder, then run `towline up` again.",
        )
