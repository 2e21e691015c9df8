"""Starting processes: parts in a session of their own with a pid file, and short commands run to their end."""

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from towline.errors import TimedOut, Unavailable
from towline.supervise.identity import ProcessRecord, identity_before_exec, write_record
from towline.supervise.program import Part, SystemUser

_COULD_NOT_START = 127
# Python ignores SIGPIPE and SIGXFSZ, the supervisor listens to the others; neither must reach the child.
_PARENTS_SIGNALS = (
    *(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGTERM, signal.SIGINT),
    *(signal.SIGUSR1, signal.SIGUSR2),
)


def spawn(part: Part, pid_file: Path) -> int:
    """Start a part and return its process id.

    The child writes its own pid file before it becomes the program, so a supervisor killed at any moment leaves no
    process that the next one does not know. Only for single-threaded callers, as every fork.
    """
    process_id = os.fork()
    if process_id:
        return process_id
    try:
        _redirect_output(part.program.log)
        _leave_parent(part, pid_file)
        os.execve(part.program.arguments[0], part.program.arguments, dict(part.program.environment))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(_COULD_NOT_START)


def run_to_end(
    arguments: Sequence[str],
    *,
    timeout_seconds: float,
    user: SystemUser | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: str = "",
) -> tuple[int, str]:
    """Run a command as `user`; its exit code and output (both streams).

    Raises Unavailable when it is not installed, TimedOut when it takes too long.
    """
    is_other = user is not None and user.user_id != os.geteuid()
    try:
        finished = subprocess.run(
            arguments,
            check=False,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            env=None if environment is None else dict(environment),
            cwd=folder,
            user=user.user_id if user and is_other else None,
            group=user.group_id if user and is_other else None,
            extra_groups=[] if is_other else None,
        )
    except FileNotFoundError as error:
        raise Unavailable(f"The program {arguments[0]} is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise TimedOut(f"{Path(arguments[0]).name} took longer than {timeout_seconds:g} s.") from error
    return finished.returncode, finished.stdout


def _redirect_output(log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _leave_parent(part: Part, pid_file: Path) -> None:
    """Become a process of its own: session, signals, descriptors, pid file, account."""
    program = part.program
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in _PARENTS_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # above all the lock, which a forked child would go on holding
    identity = identity_before_exec(Path(program.arguments[0]))
    write_record(pid_file, ProcessRecord(identity, part.fingerprint))
    os.umask(program.umask)
    if program.user is not None and program.user.user_id != os.geteuid():
        _drop_to(program.user)
    os.chdir(program.folder)


def _drop_to(user: SystemUser) -> None:
    os.setgroups([])
    os.setgid(user.group_id)
    os.setuid(user.user_id)
