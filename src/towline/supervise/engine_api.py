"""The few Docker Engine calls of `up`, `down` and `doctor`, made with the standard library alone."""

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from towline.errors import OrchestratorUnavailable
from towline.supervise.probes import find_interface_address

DEFAULT_HOST = "unix:///var/run/docker.sock"
_INSTANCE_OF = "towline.instance-of"


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker daemon by its address (`unix://…` or `tcp://…`)."""

    host: str

    def get_version(self) -> str:
        """The daemon's version; OrchestratorUnavailable when it does not answer."""
        return str(self._send("GET", "/version", timeout=5)["Version"])

    def find_bridge_gateway(self) -> str:
        """This host's address on the default bridge; empty when the daemon has no such bridge.

        The daemon names the gateway only where it was configured, so the interface itself is asked next.
        """
        try:
            network = self._ask("GET", "/networks/bridge", timeout=5)
            pools: list[dict[str, str]] = network["IPAM"]["Config"] or []
            interface = str(network["Options"]["com.docker.network.bridge.name"])
        except (OrchestratorUnavailable, KeyError, TypeError):
            return ""
        named = next((pool["Gateway"] for pool in pools if "." in pool.get("Gateway", "")), "")
        return named or find_interface_address(interface)

    def list_instances(self, installation_id: str) -> list[str]:
        """Ids of every running container of an installation."""
        filters = json.dumps({"label": [f"{_INSTANCE_OF}={installation_id}"]})
        found: Any = self._ask("GET", f"/containers/json?{urlencode({'filters': filters})}", timeout=30)
        return [str(container["Id"]) for container in found]

    def remove_containers(self, installation_id: str) -> int:
        """Remove every container of an installation, running or not; how many there were."""
        return self._remove("/containers/json?all=1&", "/containers/{}?force=1&v=1", installation_id)

    def remove_networks(self, installation_id: str) -> int:
        """Remove every network of an installation; how many there were."""
        return self._remove("/networks?", "/networks/{}", installation_id)

    def remove_volumes(self, installation_id: str) -> int:
        """Remove every volume of an installation with what is in it; how many there were."""
        return self._remove("/volumes?", "/volumes/{}?force=1", installation_id)

    def remove_images(self, installation_id: str) -> int:
        """Remove every image an installation built or named, but not the names others gave it; how many there were."""
        rows: Any = self._ask("GET", "/images/json", timeout=60)
        own = f"towline-{installation_id}/"
        names = {name for row in rows for name in row["RepoTags"] or () if name.startswith(own)}
        names |= {row["Id"] for row in rows if _is_nameless(row) and _owner(row) == installation_id}
        for name in sorted(names):
            self._ask("DELETE", f"/images/{quote(name)}?force=1", timeout=60, accepted=(200, 404, 409))
        return len(names)

    def _remove(self, listing: str, one: str, installation_id: str) -> int:
        filters = urlencode({"filters": json.dumps({"label": [f"{_INSTANCE_OF}={installation_id}"]})})
        found: Any = self._ask("GET", f"{listing}{filters}", timeout=60)
        rows: list[dict[str, str]] = (found["Volumes"] or []) if "Volumes" in found else found
        for row in rows:
            path = one.format(quote(row.get("Id") or row["Name"]))
            self._ask("DELETE", path, timeout=60, accepted=(200, 204, 404))
        return len(rows)

    def stop_container(self, container_id: str, *, grace_seconds: int = 10) -> None:
        """Stop a container; done when it has stopped already or is gone."""
        path = f"/containers/{quote(container_id)}/stop?t={grace_seconds}"
        self._ask("POST", path, timeout=grace_seconds + 30, accepted=(204, 304, 404))

    def _ask(self, method: str, path: str, *, timeout: float, accepted: tuple[int, ...] = (200,)) -> Mapping[str, Any]:
        """A call in the daemon's own version of the API: newer daemons refuse old versions."""
        version = self._send("GET", "/version", timeout=5)["ApiVersion"]
        return self._send(method, f"/v{version}{path}", timeout=timeout, accepted=accepted)

    def _send(self, method: str, path: str, *, timeout: float, accepted: tuple[int, ...] = (200,)) -> Mapping[str, Any]:
        connection = _connection(self.host, timeout)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise OrchestratorUnavailable(f"Docker does not answer at {self.host}: {error}.") from error
        finally:
            connection.close()
        if answer.status not in accepted:
            text = body.decode(errors="replace").strip()[:300]
            raise OrchestratorUnavailable(f"Docker answered {answer.status} to {method} {path}: {text}")
        return json.loads(body) if body.strip() else {}


def _is_nameless(image: Mapping[str, Any]) -> bool:
    return not [name for name in image["RepoTags"] or () if name != "<none>:<none>"]


def _owner(image: Mapping[str, Any]) -> str:
    labels: Mapping[str, str] = image["Labels"] or {}
    return labels.get(_INSTANCE_OF, "")


def find_engine_host() -> str:
    """Address of the daemon: TOWLINE_DOCKER_HOST, DOCKER_HOST, or the usual socket."""
    return os.environ.get("TOWLINE_DOCKER_HOST") or os.environ.get("DOCKER_HOST") or DEFAULT_HOST


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._patience = timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self._patience)
        self.sock.connect(self._path)


def _connection(host: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return _SocketConnection(parts.path, timeout)
    if parts.scheme in {"tcp", "http"} and parts.hostname:
        return http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=timeout)
    raise OrchestratorUnavailable(
        f"The Docker address {host!r} is neither unix:///path nor tcp://host:port.", hint="Correct TOWLINE_DOCKER_HOST."
    )
