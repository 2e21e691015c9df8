"""`towline up`: from nothing, or from whatever is there, to a running Towline with an address to open."""

import json
import os
import shlex
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from towline.client import TowlineClient
from towline.errors import TowlineError, Unavailable
from towline.supervise.daemon import (
    find_supervisor,
    hand_over,
    retry_now,
    start_detached,
    start_in_foreground,
    supervisor_arguments,
)
from towline.supervise.docker_engine import ensure_docker
from towline.supervise.example import deploy_example, find_example
from towline.supervise.given import check_given
from towline.supervise.installation import (
    Installation,
    get_installation,
    local_api_key,
    note_example,
    open_installation,
)
from towline.supervise.layout import Layout, default_data_folder
from towline.supervise.lock import find_lock_holder
from towline.supervise.options import UpOptions
from towline.supervise.readiness import Readiness
from towline.supervise.status import find_status
from towline.supervise.systemd import has_systemd, start_unit

_DEPLOYED, _SKIPPED = "deployed", "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `towline up` tells at its end."""

    platform_url: str
    example_url: str
    example_problem: str
    setup_link: str
    data_dir: str
    shell_setup: str
    was_running: bool
    seconds: float


def up(options: UpOptions) -> int:
    """Bring Towline up and say where it is; the exit code.

    Without `detach` the calling process becomes the supervisor, and what comes after happens in a child of it.
    Raises a TowlineError that says what is missing.
    """
    started = time.monotonic()
    given = {**os.environ, **options.settings}
    check_given(given)
    layout = options.layout
    version = ensure_docker(_say)
    _say(f"Docker {version}")
    layout.prepare()
    installation, _ = open_installation(layout, given)
    local_api_key(layout)
    _tell_ports(installation)
    supervisor, was_running = _ensure_supervisor(layout, installation, options=options)
    Readiness(layout, supervisor, _say).wait()
    installation = get_installation(layout)  # the API may have changed it meanwhile
    example_url, problem = _ensure_example(layout, installation, options=options)
    outcome = Outcome(
        platform_url=installation.platform_url,
        example_url=example_url,
        example_problem=problem,
        setup_link=_find_setup_link(layout, installation),
        data_dir=str(layout.root),
        shell_setup=shell_setup(layout),
        was_running=was_running,
        seconds=round(time.monotonic() - started, 1),
    )
    _show(outcome, as_json=options.as_json)
    return 0


def summary(outcome: Outcome) -> str:
    """The last lines people see."""
    how = "Towline runs already" if outcome.was_running else "Towline is up"
    lines = [f"{how} ({outcome.seconds:.1f} s)."]
    if outcome.example_url:
        lines.append(f"  Example app     {outcome.example_url}")
    lines.append(f"  Dashboard, API  {outcome.platform_url}")
    if outcome.setup_link:
        lines.append(f"  Set up (once)   {outcome.setup_link}")
    lines.append(f"  Data            {outcome.data_dir}")
    if outcome.shell_setup:
        lines.append(f"  For `towline`   {outcome.shell_setup}")
    if outcome.example_problem:
        lines.append(outcome.example_problem)
    return "\n".join(lines)


def shell_setup(layout: Layout) -> str:
    """What makes `towline` in a shell mean this installation; empty when it does already."""
    wanted: list[str] = []
    if shutil.which("towline") is None:
        wanted.append(f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
    if layout.root != default_data_folder():
        wanted.append(f"TOWLINE_DATA_DIR={shlex.quote(str(layout.root))}")
    return " ".join(["export", *wanted]) if wanted else ""


def _ensure_supervisor(layout: Layout, installation: Installation, *, options: UpOptions) -> tuple[int, bool]:
    running = find_supervisor(layout)
    status = find_status(layout.status_file)
    if running is not None and status is not None and status.fingerprint == installation.fingerprint:
        retry_now(running)
        return running, True
    if running is not None:
        _say("The settings or the version changed: the API and the worker are started again.")
        hand_over(running)
    layout.status_file.unlink(missing_ok=True)
    return _start_supervisor(layout, options=options), False


def _start_supervisor(layout: Layout, *, options: UpOptions) -> int:
    if not options.detach:
        return start_in_foreground(layout, os.environ)
    if has_systemd() and os.geteuid() == 0:
        start_unit(supervisor_arguments(layout))
        return _wait_for_supervisor(layout)
    return start_detached(layout, os.environ)


def _wait_for_supervisor(layout: Layout) -> int:
    deadline = time.monotonic() + 20
    while (holder := find_lock_holder(layout.lock_file)) is None:
        if time.monotonic() > deadline:
            raise Unavailable(
                "systemd did not start the supervisor.", hint="Read `journalctl -u towline.service`, then try again."
            )
        time.sleep(0.05)
    return holder


def _ensure_example(layout: Layout, installation: Installation, *, options: UpOptions) -> tuple[str, str]:
    """Address of the example, deploying it unless that was done or declined before; and why there is none."""
    if options.empty or installation.example == _SKIPPED:
        note_example(layout, installation.example or _SKIPPED)
        return "", ""
    if installation.example:
        return find_example(installation), ""
    _say("Deploying the example project …")
    try:
        url = deploy_example(
            api_url=f"http://127.0.0.1:{installation.ports.api}", api_key=local_api_key(layout), report=_say
        )
    except TowlineError as error:
        return "", f"The example was left out: {error.message}\n  Try: {error.hint}"
    note_example(layout, _DEPLOYED)
    return url, ""


def _find_setup_link(layout: Layout, installation: Installation) -> str:
    """The one-time link for the first account; empty once it was used, or when it cannot be had now."""
    try:
        with TowlineClient(f"http://127.0.0.1:{installation.ports.api}", local_api_key(layout)) as client:
            return client.account.create_setup_link().url or ""
    except TowlineError as error:
        _say(f"There is no set-up link now: {error.message}")
        return ""


def _tell_ports(installation: Installation) -> None:
    ports = installation.ports
    if installation.has_traefik and ports.http != 80 and "TOWLINE_HTTP_PORT" not in installation.settings:
        _say(f"Port 80 is not to be had: HTTP is on {ports.http}, HTTPS on {ports.https}.")
        _say("  Certificates by HTTP challenge need port 80; until it is free, addresses carry the port.")


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")
    sys.stderr.flush()


def _show(outcome: Outcome, *, as_json: bool) -> None:
    sys.stdout.write((json.dumps(asdict(outcome)) if as_json else summary(outcome)) + "\n")
    sys.stdout.flush()
