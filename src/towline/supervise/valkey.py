"""The embedded Valkey: on a socket only, append-only file flushed every second, never evicting."""

import hashlib
from pathlib import Path
from urllib.parse import quote

from towline.supervise.binaries import find_valkey_server, reachable_program
from towline.supervise.layout import Layout
from towline.supervise.postgres import make_private_folder
from towline.supervise.probes import answers_redis
from towline.supervise.program import Part, Program
from towline.supervise.system_user import check_reachable, get_server_user


def valkey_url(socket_path: Path) -> str:
    """URL of the embedded server for redis-py."""
    return f"unix://{quote(str(socket_path))}?db=0"


def valkey_settings(*, folder: Path, socket_path: Path) -> dict[str, str]:
    """Server settings; the key names are Redis's own."""
    return {
        "port": "0",
        "unixsocket": f'"{socket_path}"',
        "unixsocketperm": "700",
        "dir": f'"{folder}"',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
        "databases": "4",
        "hz": "5",
        "daemonize": "no",
        "logfile": '""',
        "loglevel": "notice",
        "enable-protected-configs": "no",
        "enable-module-command": "no",
    }


def settings_file(settings: dict[str, str]) -> str:
    """valkey.conf."""
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def prepare_valkey(layout: Layout) -> Part:
    """Write the configuration and say how to run the server."""
    user = get_server_user()
    check_reachable(layout.valkey, user)
    server = reachable_program(find_valkey_server(), user=user, copies=layout.programs)
    socket_path = layout.sockets / "valkey" / "valkey.sock"
    for folder in (layout.valkey, socket_path.parent):
        make_private_folder(folder, user)
    content = settings_file(valkey_settings(folder=layout.valkey, socket_path=socket_path))
    configuration = layout.valkey / "valkey.conf"
    configuration.write_text(content)
    configuration.chmod(0o644)
    return Part(
        name="valkey",
        title="Valkey",
        program=Program(
            arguments=(str(server), str(configuration)),
            environment={"LC_ALL": "C"},
            log=layout.log_file("valkey"),
            folder=layout.valkey,
            user=user,
            umask=0o077,
        ),
        survives=True,
        revision=hashlib.sha256(content.encode()).hexdigest(),
        stop_seconds=15,
        is_ready=lambda: answers_redis(socket_path),
    )
