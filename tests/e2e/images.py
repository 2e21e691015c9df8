"""Images of real databases, made of the programs that this machine has, under the names that templates use."""

import fcntl
import io
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

POSTGRES = "postgres:17"
REDIS = "redis:8"
MARIADB = "mariadb:11"
_USER = 999
_POSTGRES_ENTRY = """\
set -e
if [ "$1" != postgres ]; then exec "$@"; fi
data=/var/lib/postgresql/data
if [ ! -s $data/PG_VERSION ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    initdb -D $data -U "$POSTGRES_USER" --pwfile=/tmp/password -A trust --locale=C -E UTF8 --no-sync
    rm /tmp/password
    printf 'local all all trust\\nhost all all 127.0.0.1/32 trust\\n' >$data/pg_hba.conf
    printf 'host all all all scram-sha-256\\n' >>$data/pg_hba.conf
    echo "CREATE DATABASE \\"$POSTGRES_DB\\"" | postgres --single -D $data postgres
fi
exec postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off
"""
_MARIADB_ENTRY = """\
set -e
if [ "$1" != mariadbd ]; then exec "$@"; fi
data=/var/lib/mysql
tables=/usr/share/mysql
first_tables() {
    printf 'create database mysql;\\nuse mysql;\\nset @auth_root_socket=NULL;\\n'
    cat $tables/mysql_system_tables.sql $tables/mysql_system_tables_data.sql
    printf 'delete from global_priv;\\nflush privileges;\\n'
    for host in localhost %; do
        printf "create or replace user root@'%s' identified by '%s';\\n" $host "$MARIADB_ROOT_PASSWORD"
        printf "grant all on *.* to root@'%s' with grant option;\\n" $host
    done
    printf "create database %s;\\n" $MARIADB_DATABASE
    printf "create user '%s'@'%%' identified by '%s';\\n" $MARIADB_USER "$MARIADB_PASSWORD"
    printf "grant all on %s.* to '%s'@'%%';\\n" $MARIADB_DATABASE $MARIADB_USER
}
if [ ! -d $data/mysql ]; then first_tables | mariadbd --no-defaults --bootstrap --datadir=$data; fi
exec mariadbd --no-defaults --datadir=$data --socket=/tmp/socket --skip-name-resolve --innodb-buffer-pool-size=16M
"""


def postgres_tar() -> bytes:
    """A root file system with PostgreSQL that begins as the official image does."""
    version = max(Path("/usr/lib/postgresql").iterdir(), key=lambda path: int(path.name))
    programs = [version / "bin" / name for name in ("postgres", "initdb", "psql", "pg_dump", "pg_restore")]
    modules = sorted((version / "lib").glob("*.so"))
    shared = Path("/usr/share/postgresql") / version.name
    trees = [version / "lib", shared, Path("/usr/share/zoneinfo/UTC"), Path("/usr/share/zoneinfo/Etc/UTC")]
    libraries = _libraries_of([*programs, version / "lib" / "dict_snowball.so", version / "lib" / "plpgsql.so"])
    assert modules
    links = {f"usr/bin/{path.name}": str(path) for path in programs}
    return _tar([*programs, *trees, *libraries], links=links, entry=_POSTGRES_ENTRY, data="var/lib/postgresql/data")


def redis_tar() -> bytes:
    """A root file system with Redis."""
    programs = [Path("/usr/bin") / name for name in ("redis-server", "redis-cli")]
    found = [path.resolve() for path in programs]
    links = {f"bin/{path.name}": str(path.resolve()) for path in programs}
    return _tar([*found, *_libraries_of(found)], links=links, entry='exec "$@"\n', data="data")


def mariadb_tar() -> bytes:
    """A root file system with MariaDB that begins as the official image does."""
    programs = [Path("/usr/sbin/mariadbd"), Path("/usr/bin/mariadb"), Path("/usr/bin/mariadb-dump")]
    links = {f"bin/{path.name}": str(path) for path in programs}
    trees = [Path("/usr/share/mysql")]
    return _tar([*programs, *trees, *_libraries_of(programs)], links=links, entry=_MARIADB_ENTRY, data="var/lib/mysql")


@contextmanager
def shared_image(tag: str, make_root: Callable[[], bytes], command: str) -> Generator[str]:
    """An image under its name, made once and removed by the last of the test processes that use it.

    Nobody waits for another's tests: the guard is held only while it is made or removed.
    """
    place = Path(tempfile.gettempdir()) / f"towline-image-{re.sub(r'[^a-z0-9]', '-', tag)}"
    with place.with_suffix(".guard").open("a") as guard, place.with_suffix(".use").open("a") as use:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if subprocess.run(["/usr/bin/docker", "image", "inspect", tag], capture_output=True, check=False).returncode:
            import_image(tag, make_root(), command)
        fcntl.flock(use, fcntl.LOCK_SH)
        fcntl.flock(guard, fcntl.LOCK_UN)
        yield tag
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        subprocess.run(["/usr/bin/docker", "image", "rm", "--force", tag], capture_output=True, check=False, timeout=60)


def import_image(tag: str, root: bytes, command: str) -> None:
    """Make an image of a root file system."""
    changes = [f"USER {_USER}", 'ENTRYPOINT ["/bin/sh", "/entry.sh"]', f'CMD ["{command}"]']
    options = [part for change in changes for part in ("--change", change)]
    subprocess.run(
        ["/usr/bin/docker", "import", *options, "-", tag], input=root, check=True, capture_output=True, timeout=120
    )


def _tar(paths: Iterable[Path], *, links: dict[str, str], entry: str, data: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in dict.fromkeys([Path("/bin/busybox"), *paths]):
            archive.add(path.resolve() if path.is_file() else path, str(path).lstrip("/"))
        applets = ("sh", "cat", "echo", "printf", "rm", "sleep", "ls", "nc", "timeout")
        for name, target in {**{f"bin/{applet}": "/bin/busybox" for applet in applets}, **links}.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name, text in {"entry.sh": entry, "etc/passwd": f"app:x:{_USER}:{_USER}::/tmp:/bin/sh\n"}.items():
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(text), 0o755
            archive.addfile(file, io.BytesIO(text.encode()))
        for name, mode in ((data, 0o700), ("tmp", 0o1777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, mode, _USER, _USER
            archive.addfile(folder)
    return packed.getvalue()


def _libraries_of(programs: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for program in programs:
        told = subprocess.run(["/usr/bin/ldd", str(program)], capture_output=True, text=True, check=True, timeout=30)
        words = [word for line in told.stdout.splitlines() for word in line.split()]
        found += [Path(word) for word in words if word.startswith("/")]
    return found
