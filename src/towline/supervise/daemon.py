"""Starting, finding and stopping the supervisor of a data folder."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from towline.errors import TimedOut
from towline.supervise.identity import is_running, read_identity
from towline.supervise.layout import Layout
from towline.supervise.lock import find_lock_holder
from towline.supervise.logs import read_tail
from towline.supervise.supervisor import LEAVE, RETRY_NOW

_STOP_SECONDS = 90.0


def supervisor_arguments(layout: Layout) -> list[str]:
    """The command of the supervisor's process."""
    return [sys.executable, "-m", "towline", "internal", "supervise", "--data", str(layout.root)]


def find_supervisor(layout: Layout) -> int | None:
    """Process id of the supervisor that runs this data folder."""
    return find_lock_holder(layout.lock_file)


def start_detached(layout: Layout, environment: Mapping[str, str]) -> int:
    """Start a supervisor that outlives this process and its terminal; its process id."""
    arguments = supervisor_arguments(layout)
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        arguments[0],
        arguments,
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(layout.log_file("supervisor")), log_flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def start_in_foreground(layout: Layout, environment: Mapping[str, str]) -> int:
    """Turn this process into the supervisor and go on in a child of it; the supervisor's process id.

    So Ctrl-C and the exit code belong to the supervisor, and no second process stays behind to hold the terminal.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    supervisor = os.getpid()
    if os.fork() != 0:
        arguments = [*supervisor_arguments(layout), "--foreground"]
        os.execve(arguments[0], arguments, dict(environment))
    return supervisor


def retry_now(process_id: int) -> None:
    """Tell a running supervisor to start at once whatever it is backing off from."""
    os.kill(process_id, RETRY_NOW)


def hand_over(process_id: int) -> None:
    """End a supervisor, its API and its worker, and leave the servers for the next one to adopt."""
    end_supervisor(process_id, LEAVE)


def end_supervisor(process_id: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Signal a supervisor and wait until it is gone; TimedOut when it does not end."""
    identity = read_identity(process_id)
    if identity is None:
        return
    os.kill(process_id, number)
    deadline = time.monotonic() + _STOP_SECONDS
    while is_running(identity):
        if time.monotonic() > deadline:
            raise TimedOut(
                f"The supervisor (process {process_id}) did not end within {_STOP_SECONDS:.0f} s.",
                hint="Look into logs/supervisor.log in the data folder.",
            )
        time.sleep(0.02)


def last_words(log: Path) -> str:
    """The end of a log in one line, for an error message."""
    return " ".join(read_tail(log, lines=3))[-400:]
