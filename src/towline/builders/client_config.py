"""The docker client's configuration of one build: the project's registries and none of the host's logins."""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from towline.values import Credential

_HUB: Final = "https://index.docker.io/v1/"
"""What the client calls Docker Hub in its configuration."""
_PLUGINS: Final = "cli-plugins"


def client_config(registries: Mapping[str, Credential], *, proxies: object = None) -> dict[str, object]:
    """The content of `config.json`."""
    logins = {_HUB if host == "docker.io" else host: {"auth": _login(one)} for host, one in registries.items()}
    return {"auths": logins, **({"proxies": proxies} if proxies else {})}


def write_client_config(folder: Path, registries: Mapping[str, Credential]) -> None:
    """Make the folder that DOCKER_CONFIG names; the host's own proxies and plugins stay usable. Blocking."""
    folder.mkdir(mode=0o700)
    path = folder / "config.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(client_config(registries, proxies=_host_config().get("proxies"))))
    plugins = _host_folder() / _PLUGINS
    if plugins.is_dir():
        (folder / _PLUGINS).symlink_to(plugins)


def has_client_proxies() -> bool:
    """Whether the docker client's configuration adds proxies of its own to every build."""
    return bool(_host_config().get("proxies"))


def _login(credential: Credential) -> str:
    return base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()


def _host_folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _host_config() -> dict[str, Any]:
    try:
        found: object = json.loads((_host_folder() / "config.json").read_text())
    except (OSError, ValueError, RuntimeError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
