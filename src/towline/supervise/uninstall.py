"""`towline uninstall`: everything of one installation goes for good."""

import os
import shutil
import sys
from pathlib import Path

from towline.errors import Conflict, Forbidden, InvalidInput
from towline.supervise.down import stop_towline
from towline.supervise.engine_api import Engine, find_engine_host
from towline.supervise.installation import Installation, get_installation
from towline.supervise.layout import Layout
from towline.supervise.systemd import remove_unit, stop_unit


def find_name(layout: Layout) -> str:
    """What a person has to type to remove the installation: the host of its API and dashboard.

    Raises NotFound when there is no Towline in the data folder, Forbidden when it is another user's.
    """
    name = get_installation(layout).platform_host
    if layout.root.stat().st_uid != os.geteuid():
        raise Forbidden(f"{layout.root} belongs to another user.", hint="Run this as the user who ran `towline up`.")
    return name


def uninstall(layout: Layout, *, name: str) -> None:
    """Stop and remove it: containers, networks, volumes, images, the systemd unit, and the data folder last.

    What is left when it fails halfway can be removed by doing it again. Docker and Towline's program stay.
    """
    wanted = find_name(layout)
    if name != wanted:
        raise InvalidInput(
            f"{name!r} is not the name of this installation.", hint=f"Its name is {wanted}.", field="name"
        )
    engine = Engine(find_engine_host())
    engine.get_version()  # before anything is stopped: without Docker, the apps could not be removed
    installation = get_installation(layout)
    has_unit = stop_unit(layout.root)
    stop_towline(layout)
    if has_unit:
        remove_unit()
    _remove_from_docker(engine, installation)
    _remove_folders(layout)


def _remove_from_docker(engine: Engine, installation: Installation) -> None:
    found = installation.installation_id
    counts = {
        "container": engine.remove_containers(found),
        "network": engine.remove_networks(found),
        "volume": engine.remove_volumes(found),
        "image": engine.remove_images(found),
    }
    parts = [f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items()]
    sys.stderr.write(f"Removed {', '.join(parts)}.\n")


def _remove_folders(layout: Layout) -> None:
    for folder in (layout.sockets, layout.root):
        _remove_folder(folder)
    sys.stderr.write(f"Removed {layout.root}.\n")


def _remove_folder(folder: Path) -> None:
    """A folder that is a mount point or a link itself is emptied and stays."""
    if not folder.exists():
        return
    stays = folder.is_symlink() or folder.is_mount()
    try:
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name == "state.json"):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        if not stays:
            folder.rmdir()
    except OSError as error:
        raise Conflict(
            f"{folder} could not be removed: {error}.", hint=f"Remove it by hand: `rm -r {folder}`."
        ) from error
