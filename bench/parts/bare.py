"""Docker without Towline: the bare builds and starts that everything is measured against."""

import asyncio
import http.client
import json
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from bench.parts.answers import wait_for_answer

from towline.builders.docker_cli import DockerCli, choose_docker_cli, cli_environment
from towline.supervise.engine_api import find_engine_host

_LABEL = "towline-bench"
_BUILD_SECONDS = 300


class Engine:
    """The Engine API over its socket, one connection per call."""

    def __init__(self) -> None:
        host = find_engine_host()
        assert host.startswith("unix://"), f"benches need the Docker daemon's socket, not {host}"
        self._path = host.removeprefix("unix://")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON, None without any; fails on an error of the daemon."""
        connection = http.client.HTTPConnection("localhost", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(self._path)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 400, f"Docker answered {answer.status} to {method} {path}: {text!r}"
            return json.loads(text) if text.strip() else None
        finally:
            connection.close()

    def list_containers(self, **labels: str) -> list[dict[str, Any]]:
        """Running containers that have these labels (`__` in a name stands for a dot)."""
        wanted = {"label": [f"{name.replace('__', '.')}={value}" for name, value in labels.items()]}
        return self.ask("GET", f"/containers/json?{urlencode({'filters': json.dumps(wanted)})}")

    def kill(self, container_id: str) -> None:
        """SIGKILL to a container's main process."""
        self.ask("POST", f"/containers/{container_id}/kill?signal=KILL")


@dataclass(frozen=True, slots=True)
class Started:
    """A container and the seconds from the first call to its first answer."""

    container_id: str
    address: str
    seconds: float


class BareDocker:
    """Builds and starts as a person would do by hand; everything it makes carries one label."""

    def __init__(self, mark: str) -> None:
        self.engine = Engine()
        self._mark = mark
        self._cli: DockerCli = asyncio.run(choose_docker_cli("", ""))
        self._network = f"{_LABEL}-{mark}"
        labels = {_LABEL: mark}
        self.engine.ask("POST", "/networks/create", {"Name": self._network, "Labels": labels, "CheckDuplicate": True})

    def build(self, folder: Path, name: str) -> tuple[str, float]:
        """Build a folder with BuildKit; the image's name and the seconds it took."""
        image = f"{_LABEL}-{self._mark}/{name}"
        arguments = [*self._cli.build_arguments, "--quiet", f"--label={_LABEL}={self._mark}", f"--tag={image}"]
        began_at = time.monotonic()
        self._run([*arguments, "--", str(folder)])
        return image, time.monotonic() - began_at

    def follow_build(self, folder: Path) -> subprocess.Popen[bytes]:
        """A build without cache whose plain output can be read line by line from its standard error."""
        arguments = [*self._cli.build_arguments, "--no-cache", "--progress=plain", f"--label={_LABEL}={self._mark}"]
        return subprocess.Popen([*arguments, "--", str(folder)], env=cli_environment(""), stderr=subprocess.PIPE)

    def load_tree(self, archive: Path, name: str) -> str:
        """Make a tar archive the file system of an image; the image's name."""
        image = f"{_LABEL}-{self._mark}/{name}"
        self._run([self._cli.path, "import", f"--change=LABEL {_LABEL}={self._mark}", "--", str(archive), image])
        return image

    def start(self, image: str, *, port: int = 8080, command: list[str] | None = None) -> Started:
        """Create and start a container, and wait for its first answer."""
        payload: dict[str, Any] = {
            "Image": image,
            "Labels": {_LABEL: self._mark},
            "HostConfig": {"NetworkMode": self._network},
        }
        if command:
            payload["Cmd"] = command
        began_at = time.monotonic()
        container_id = str(self.engine.ask("POST", "/containers/create", payload)["Id"])
        self.engine.ask("POST", f"/containers/{container_id}/start")
        networks = self.engine.ask("GET", f"/containers/{container_id}/json")["NetworkSettings"]["Networks"]
        address = str(networks[self._network]["IPAddress"])
        answered_at = wait_for_answer(address, port, lambda _: True)
        return Started(container_id, address, answered_at - began_at)

    def remove(self, container: Started) -> None:
        """Remove a container at once."""
        self.engine.ask("DELETE", f"/containers/{container.container_id}?force=1&v=1")

    def remove_everything(self) -> None:
        """Remove every container, network and image of this run."""
        filters = urlencode({"filters": json.dumps({"label": [f"{_LABEL}={self._mark}"]})})
        for container in self.engine.ask("GET", f"/containers/json?all=1&{filters}"):
            self.engine.ask("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for network in self.engine.ask("GET", f"/networks?{filters}"):
            self.engine.ask("DELETE", f"/networks/{network['Id']}")
        for image in self.engine.ask("GET", f"/images/json?{filters}"):
            self.engine.ask("DELETE", f"/images/{quote(image['Id'], safe='')}?force=1")

    def _run(self, arguments: list[str]) -> None:
        finished = subprocess.run(
            arguments, env=cli_environment(""), capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
        assert finished.returncode == 0, f"{arguments[0]} {arguments[1]} failed: {finished.stderr}"


@contextmanager
def bare_docker() -> Generator[BareDocker]:
    """Docker by itself, for one run."""
    docker = BareDocker(secrets.token_hex(4))
    try:
        yield docker
    finally:
        docker.remove_everything()


@contextmanager
def written(files: Mapping[str, bytes]) -> Generator[Path]:
    """Files in a temporary folder; those whose names end in `!` are executable."""
    with tempfile.TemporaryDirectory(prefix="towline-bench-") as name:
        for path, content in files.items():
            file = Path(name, path.rstrip("!"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o755 if path.endswith("!") else 0o644)
        yield Path(name)
