"""Docker Engine on this machine: installed from the distribution and started when it is not there."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from towline.errors import OrchestratorUnavailable, TowlineError, Unavailable
from towline.supervise.engine_api import DEFAULT_HOST, Engine, find_engine_host
from towline.supervise.logs import read_tail
from towline.supervise.packages import can_install_packages, install_packages
from towline.supervise.spawn import run_to_end

_DAEMON_LOG = Path("/var/log/dockerd.log")
_DAEMON_SETTINGS = Path("/etc/docker/daemon.json")
_SWARM_STATE = Path("/var/lib/docker/swarm/docker-state.json")
_SYSTEMD = Path("/run/systemd/system")
_START_SECONDS = 60
_DAEMON_PLACES = ("/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd")


def ensure_docker(report: Callable[[str], None]) -> str:
    """The version of a Docker daemon that answers, after installing and starting one when that is needed and allowed.

    Raises OrchestratorUnavailable, saying what is missing, when it is not.
    """
    engine = Engine(find_engine_host())
    try:
        return engine.get_version()
    except OrchestratorUnavailable as error:
        _refuse_what_root_alone_can_mend(engine, error)
    if find_dockerd() is None:
        install_packages(["docker.io"], report=report)
    _start_daemon(report)
    return _wait_until_answering(engine)


def main(_arguments: Sequence[str]) -> int:
    """`python -m towline internal docker`: Docker alone, for the tests' set-up; the exit code."""
    try:
        version = ensure_docker(_say)
    except TowlineError as error:
        _say(f"Error: {error.message} Try: {error.hint}")
        return error.exit_code
    _say(f"Docker {version}")
    return 0


def find_dockerd() -> Path | None:
    """The daemon's program, None when Docker is not installed."""
    found = shutil.which("dockerd")
    places = [found] if found else [place for place in _DAEMON_PLACES if Path(place).exists()]
    return Path(places[0]) if places else None


def daemon_arguments(dockerd: Path, *, has_settings: bool, has_swarm: bool) -> list[str]:
    """How to start the daemon: containers outlive it (live-restore), except where Swarm rules that out.

    A settings file of the user's own is left to say everything, as dockerd refuses a flag that is also in its file.
    """
    return [str(dockerd), *([] if has_settings or has_swarm else ["--live-restore"])]


def _refuse_what_root_alone_can_mend(engine: Engine, error: OrchestratorUnavailable) -> None:
    if engine.host != DEFAULT_HOST:
        raise error
    is_installed = find_dockerd() is not None
    if os.geteuid() == 0 and (is_installed or can_install_packages()):
        return
    if not is_installed:
        hint = "Install Docker Engine (Debian: `sudo apt-get install docker.io`), then run `towline up` again."
    elif Path("/var/run/docker.sock").exists() and not os.access("/var/run/docker.sock", os.W_OK):
        hint = "Join the group: `sudo usermod -aG docker $USER`, sign in again, then run `towline up`."
    else:
        hint = "Start it with `sudo systemctl start docker`, then run `towline up` again."
    raise OrchestratorUnavailable(error.message, hint=hint) from error


def _start_daemon(report: Callable[[str], None]) -> None:
    if _SYSTEMD.exists():
        report("Starting Docker …")
        run_to_end(["systemctl", "enable", "--now", "docker.service"], timeout_seconds=120)
        return
    dockerd = find_dockerd()
    if dockerd is None:
        raise Unavailable("Docker was installed, but its daemon `dockerd` was not found.")
    report(f"Starting dockerd (log: {_DAEMON_LOG}) …")
    arguments = daemon_arguments(dockerd, has_settings=_DAEMON_SETTINGS.exists(), has_swarm=_SWARM_STATE.exists())
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.posix_spawn(
        arguments[0],
        arguments,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(_DAEMON_LOG), log_flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,  # it must outlive Towline and the terminal
    )


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")


def _wait_until_answering(engine: Engine) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return engine.get_version()
        except OrchestratorUnavailable as error:
            if time.monotonic() > deadline:
                last_words = " ".join(read_tail(_DAEMON_LOG, lines=3))
                raise OrchestratorUnavailable(
                    f"Docker was started but does not answer after {_START_SECONDS} s. {last_words}".strip(),
                    hint=f"Read {_DAEMON_LOG} or `journalctl -u docker`.",
                ) from error
        time.sleep(0.1)
