"""The account database servers run under when Towline itself is root: PostgreSQL refuses to be root."""

import os
import pwd
import time
from pathlib import Path

from towline.errors import Conflict, Unavailable
from towline.supervise.program import SystemUser
from towline.supervise.spawn import run_to_end

ACCOUNT = "towline-db"
_USERADD_PLACES = (Path("/usr/sbin/useradd"), Path("/sbin/useradd"))
_FITTING_ACCOUNTS = ("postgres",)


def get_server_user() -> SystemUser:
    """The account for database servers: our own system user under root (made when absent), else the caller.

    Raises Unavailable when an account is needed and none can be made.
    """
    if os.geteuid() != 0:
        return current_user()
    return _find_user(ACCOUNT) or _create_user() or _find_fitting_user()


def current_user() -> SystemUser:
    """The account of this process; Unavailable when it has no passwd entry."""
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError as error:
        raise Unavailable(
            f"The user id {os.geteuid()} has no passwd entry, which PostgreSQL needs.",
            hint="Run Towline as a user named in /etc/passwd.",
        ) from error
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def check_reachable(folder: Path, user: SystemUser) -> None:
    """Raise Conflict naming the first parent of `folder` that `user` cannot pass through."""
    if blocked := find_blocked_folder(folder, user):
        raise Conflict(
            f"The account {user.name} cannot pass through {blocked}, so the database cannot live in {folder}.",
            hint=f"Allow it with `chmod o+x {blocked}`, or give another folder with `--data DIR`.",
        )


def find_blocked_folder(path: Path, user: SystemUser) -> Path | None:
    """The first folder above `path` that `user` cannot pass through; None when the way is open."""
    for folder in reversed(path.absolute().parents):
        facts = folder.stat()
        if facts.st_uid == user.user_id:
            may_pass = facts.st_mode & 0o100
        elif facts.st_gid == user.group_id:
            may_pass = facts.st_mode & 0o010
        else:
            may_pass = facts.st_mode & 0o001
        if not may_pass and user.user_id != 0:
            return folder
    return None


def _find_user(name: str) -> SystemUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create_user() -> SystemUser | None:
    useradd = next((place for place in _USERADD_PLACES if place.exists()), None)
    if useradd is None:
        return None
    arguments = (str(useradd), "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent")
    for _ in range(20):  # the passwd file may be locked by another program for a moment
        run_to_end((*arguments, "--shell", "/usr/sbin/nologin", ACCOUNT), timeout_seconds=10)
        if user := _find_user(ACCOUNT):
            return user
        time.sleep(0.1)
    return None


def _find_fitting_user() -> SystemUser:
    for name in _FITTING_ACCOUNTS:
        if user := _find_user(name):
            return user
    raise Unavailable(
        f"PostgreSQL refuses to run as root and the system user {ACCOUNT} could not be made.",
        hint=f"Make it with `useradd --system --user-group {ACCOUNT}`, then run `towline up` again.",
    )
