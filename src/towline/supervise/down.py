"""`towline down`: stop Towline, leave Docker and (unless asked otherwise) the deployed apps."""

import sys
from pathlib import Path

from towline.supervise.daemon import end_supervisor, find_supervisor
from towline.supervise.engine_api import Engine, find_engine_host
from towline.supervise.installation import get_installation
from towline.supervise.layout import Layout
from towline.supervise.leftovers import end_leftovers
from towline.supervise.options import layout_of
from towline.supervise.systemd import stop_unit


def down(data: Path | None = None, *, also_apps: bool = False) -> int:
    """Stop every process of Towline, and with `also_apps` the containers of this installation; the exit code.

    dockerd is never stopped. Raises NotFound when there is no Towline in the data folder.
    """
    layout = layout_of(data)
    installation = get_installation(layout)
    was_running = stop_towline(layout)
    sys.stderr.write("Towline is stopped.\n" if was_running else "Towline was not running.\n")
    if also_apps:
        stopped = stop_apps(installation.installation_id)
        sys.stderr.write(f"Stopped {stopped} app container{'' if stopped == 1 else 's'}.\n")
    return 0


def stop_towline(layout: Layout) -> bool:
    """End the supervisor and with it everything it runs, also what a killed one left; whether anything ran."""
    has_unit = stop_unit(layout.root)
    supervisor = find_supervisor(layout)
    if supervisor is not None:
        end_supervisor(supervisor)
    return end_leftovers(layout) or has_unit or supervisor is not None


def stop_apps(installation_id: str) -> int:
    """Stop the running containers of an installation; how many there were."""
    engine = Engine(find_engine_host())
    containers = engine.list_instances(installation_id)
    for container in containers:
        engine.stop_container(container)
    return len(containers)
