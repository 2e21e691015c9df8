"""What end-to-end tests share: small apps that build in no time, looking into containers, traffic that is counted."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from tests.running import RunningTowline, wait_for

from towline.client.transport import LocalhostTransport
from towline.contract.deployments import Deployment, DeployRequest
from towline.contract.logs import LogEntry, LogQuery
from towline.values import DeploymentStatus

BASE = f"towline-e2e-{os.getpid()}/base:1"
"""An image of busybox with all its applets, made for the session; serves /www on 8080 by default.

Its python and node are stand-ins that serve the folder of the app.
"""

_BASE_DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir /www; for name in python node; do printf '#!/bin/sh\\nexec httpd -f -p $PORT -h /app\\n' >/bin/$name; done; \\
    printf '#!/bin/sh\\necho "npm $*"\\n' >/bin/npm; chmod +x /bin/python /bin/node /bin/npm
EXPOSE 8080
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
"""


def app(text: str, *, more: str = "", **files: str) -> dict[str, bytes]:
    """A tree that answers `text` on `/`; `more` are further lines of its Dockerfile."""
    dockerfile = f"FROM {BASE}\nCOPY www /www\n{more}\n"
    named = {name.replace("__", "/"): content.encode() for name, content in files.items()}
    return {"Dockerfile": dockerfile.encode(), "www/index.html": text.encode(), **named}


def command_app(command: str, *, more: str = "") -> dict[str, bytes]:
    """A tree that runs a command line of the image's own shell."""
    return {"Dockerfile": f"FROM {BASE}\n{more}\nCMD {json.dumps(['sh', '-c', command])}\n".encode()}


def write_tree(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write a tree's files below a folder; the folder."""
    for name, content in files.items():
        path = folder / name.rstrip("!")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if name.endswith("!") else 0o644)
    return folder


def build_base(folder: Path) -> None:
    """Build the base image of the session."""
    write_tree(folder, {"Dockerfile": _BASE_DOCKERFILE.encode(), "busybox!": Path("/bin/busybox").read_bytes()})
    docker("build", "--quiet", "--tag", BASE, str(folder))


def docker(*arguments: str, timeout: float = 60) -> str:
    """What the Docker command prints; it must succeed."""
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "DOCKER_BUILDKIT": "1"}
    finished = subprocess.run(
        ["docker", *arguments], env=environment, capture_output=True, timeout=timeout, check=False
    )
    assert finished.returncode == 0, f"docker {arguments}: {finished.stderr.decode(errors='replace')}"
    return finished.stdout.decode(errors="surrogateescape").rstrip("\n")


def succeeded(deployment: Deployment) -> Deployment:
    """The deployment, which must have succeeded."""
    assert deployment.status is DeploymentStatus.SUCCESS, (deployment.status, deployment.error)
    return deployment


def failed(deployment: Deployment, code: str) -> str:
    """What a deployment says that must have failed for this reason: message and hint."""
    assert deployment.status is DeploymentStatus.FAILED, (deployment.status, deployment.error)
    assert deployment.error is not None
    assert deployment.error.code == code, deployment.error
    assert deployment.error.hint
    return f"{deployment.error.message}\n{deployment.error.hint}"


def host_of(deployment: Deployment) -> str:
    """The first host that a deployment's service answers at."""
    return httpx2.URL(deployment.urls[0]).host


def start_deployment(towline: RunningTowline, project: str, files: Mapping[str, bytes], service: str = "web") -> str:
    """Upload files and ask for their deployment; its id."""
    request = DeployRequest(upload=towline.upload(project, files))
    return towline.client.services.deploy(project, service, request).id


def log_of(towline: RunningTowline, deployment_id: str) -> str:
    """The whole log of a deployment."""
    entries: list[LogEntry] = towline.client.deployments.get_logs(
        deployment_id, LogQuery(since="1", limit=10_000)
    ).items
    return "\n".join(entry.message for entry in entries)


def wait_for_step(towline: RunningTowline, deployment_id: str, step: str, *, timeout: float = 30) -> Deployment:
    """The deployment once it is in a step."""

    def look() -> Deployment | None:
        deployment = towline.client.deployments.get_status(deployment_id)
        assert not deployment.status.is_final or deployment.step == step, (deployment.status, deployment.error)
        return deployment if deployment.step == step else None

    return wait_for(look, timeout=timeout)


def containers_of(project: str, service: str = "web", *, all_states: bool = False) -> list[str]:
    """Ids of a service's containers, running ones unless all states are wanted."""
    labels = [f"label=towline.project={project}", f"label=towline.service={service}"]
    options = ["--all"] if all_states else []
    filters = [part for label in labels for part in ("--filter", label)]
    return docker("ps", "--quiet", "--no-trunc", *options, *filters).split()


def inspect(name: str) -> dict[str, Any]:
    """What Docker says of one object."""
    return json.loads(docker("inspect", name))[0]


def run_inside(container: str, *command: str) -> str:
    """What a command prints inside a container."""
    return docker("exec", container, *command)


def environment_of(container: str) -> dict[str, str]:
    """The environment that a container's first process was given, byte for byte."""
    pid = docker("inspect", "--format", "{{.State.Pid}}", container)
    lines = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


@dataclass
class Traffic:
    """Requests sent all the time, and what became of them."""

    answers: dict[str, int] = field(default_factory=dict[str, int])
    failures: list[str] = field(default_factory=list[str])

    @property
    def total(self) -> int:
        """Requests that were answered as they should be."""
        return sum(self.answers.values())


@contextmanager
def traffic(towline: RunningTowline, host: str, *, threads: int = 2) -> Generator[Traffic]:
    """Send requests to a host while the block runs, alternately on kept and on new connections."""
    seen, is_over, lock = Traffic(), threading.Event(), threading.Lock()
    url = f"http://127.0.0.1:{towline.http_port}/"

    def send() -> None:
        with httpx2.Client(transport=LocalhostTransport(), timeout=5) as client:
            while not is_over.is_set():
                for connection in ("keep-alive", "close"):
                    _send_one(client, url, {"Host": host, "Connection": connection}, seen, lock)
                time.sleep(0.02)

    workers = [threading.Thread(target=send) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield seen
    finally:
        is_over.set()
        for worker in workers:
            worker.join()


def _send_one(client: httpx2.Client, url: str, headers: dict[str, str], seen: Traffic, lock: threading.Lock) -> None:
    try:
        response = client.get(url, headers=headers)
    except httpx2.HTTPError as error:
        with lock:
            seen.failures.append(repr(error))
        return
    with lock:
        if response.status_code == 200:
            seen.answers[response.text] = seen.answers.get(response.text, 0) + 1
        else:
            seen.failures.append(f"{response.status_code} {response.text[:200]}")
