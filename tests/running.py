"""A whole Towline, started as users start it, in a data folder and on ports of its own; used by tests and benches."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import httpx2
from tests.leaks import Secrets
from tests.ports import free_port

from towline.client import TowlineClient
from towline.client.transport import LocalhostTransport
from towline.contract.deployments import Deployment, DeployRequest
from towline.contract.projects import ProjectCreate
from towline.contract.services import ServiceCreate

T = TypeVar("T")
BUSYBOX = Path("/bin/busybox")
_UP_SECONDS = 180
_DOWN_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Towline is started: a free HTTP port unless one is given, the system's temporary folder likewise."""

    http_port: int = 0
    parent: Path | None = None


@dataclass
class RunningTowline:
    """A Towline that runs. `folder` is its data folder; `client` acts as its administrator."""

    folder: Path
    http_port: int
    https_port: int
    base_domain: str
    api_key: str
    environment: Mapping[str, str]
    outcome: dict[str, object]
    api_url: str = ""
    client: TowlineClient = field(init=False)
    secrets: Secrets = field(default_factory=Secrets)

    def __post_init__(self) -> None:
        self.api_url = self.api_url or self.url_of(f"towline.{self.base_domain}")
        self._connect()

    def _connect(self) -> None:
        self.client = TowlineClient(self.api_url, self.api_key)
        self.secrets.values.add(self.api_key)
        self.secrets.watch(self.client.connection.http)

    def bypass_router(self) -> None:
        """Speak to the API at its own loopback port from now on."""
        self.client.close()
        port = json.loads((self.folder / "state.json").read_text())["ports"]["api"]
        self.api_url = f"http://127.0.0.1:{port}"
        self._connect()

    def url_of(self, host: str, path: str = "") -> str:
        """The plain-HTTP address of a host of this Towline."""
        return f"http://{host}:{self.http_port}{path}"

    def get(self, host: str, path: str = "/", *, timeout: float = 10) -> httpx2.Response:
        """GET from a host of this Towline, without DNS."""
        with httpx2.Client(transport=LocalhostTransport(), timeout=timeout) as client:
            return client.get(f"http://127.0.0.1:{self.http_port}{path}", headers={"Host": host})

    def command(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the `towline` command against this Towline."""
        environment = {
            **self.environment,
            "TOWLINE_URL": self.api_url,
            "TOWLINE_API_KEY": self.api_key,
        }
        return subprocess.run(
            [sys.executable, "-m", "towline", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def create_service(self, project: str, service: str = "web", **settings: object) -> None:
        """Create a project (unless it is there) and a service in it."""
        if project not in [item.name for item in self.client.projects.iterate()]:
            self.client.projects.create(ProjectCreate(name=project))
        self.client.services.create(project, ServiceCreate.model_validate({"name": service, **settings}))

    def deploy_files(
        self, project: str, files: Mapping[str, bytes], *, service: str = "web", timeout: float = 120
    ) -> Deployment:
        """Upload files, deploy them, and wait for the end, whatever it is."""
        upload = self.upload(project, files)
        deployment = self.client.services.deploy(project, service, DeployRequest(upload=upload))
        return self.client.wait_for_deployment(deployment.id, timeout=timeout)

    def upload(self, project: str, files: Mapping[str, bytes]) -> str:
        """Upload files as one tar archive; its digest."""
        with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
            archive.write(tar_of(files))
            archive.flush()
            return self.client.uploads.send(project, Path(archive.name)).digest


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of files; names that end in `!` are executable."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.rstrip("!"))
            entry.size, entry.mode = len(content), 0o755 if name.endswith("!") else 0o644
            tar.addfile(entry, BytesIO(content))
    return buffer.getvalue()


def web_app(text: str, *, port: int = 8080, extra: str = "") -> dict[str, bytes]:
    """A tree that builds with nothing to pull and answers `text` on `/`."""
    dockerfile = (
        "FROM scratch\nCOPY busybox /bin/busybox\nCOPY www /www\n"
        f"EXPOSE {port}\n{extra}"
        f'CMD ["/bin/busybox", "httpd", "-f", "-p", "{port}", "-h", "/www"]\n'
    )
    return {"Dockerfile": dockerfile.encode(), "busybox!": BUSYBOX.read_bytes(), "www/index.html": text.encode()}


def wait_for(find: Callable[[], T | None], *, timeout: float = 30, interval: float = 0.05) -> T:
    """The first thing `find` finds; fails when that takes too long."""
    deadline = time.monotonic() + timeout
    while (found := find()) is None or found is False:
        assert time.monotonic() < deadline, f"nothing found within {timeout} s"
        time.sleep(interval)
    return found


@contextmanager
def running_towline(
    place: Place = Place(), /, *, base_domain: str = "localhost", **settings: str
) -> Generator[RunningTowline]:
    """Start Towline with `towline up --empty --detach`, and take it down with everything it made."""
    folder = Path(tempfile.mkdtemp(prefix="towline-e2e-", dir=place.parent))
    folder.chmod(0o711)
    data, api_key = folder / "data", secrets.token_urlsafe(32)
    http_port, https_port = place.http_port or free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOWLINE_")}
    environment |= {"TOWLINE_BOOTSTRAP_API_KEY": api_key, "TOWLINE_INTERNAL_PORT": str(free_port()), **settings}
    options = ["--data", str(data), "--port", str(http_port), "--https-port", str(https_port)]
    command, used = [sys.executable, "-m", "towline"], Secrets(api_key)
    try:
        started = subprocess.run(
            [*command, "up", *options, "--base-domain", base_domain, "--empty", "--detach", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_UP_SECONDS,
            check=False,
        )
        assert started.returncode == 0, started.stdout + started.stderr + _logs(data)
        outcome = json.loads(started.stdout.strip().splitlines()[-1])
        towline = RunningTowline(data, http_port, https_port, base_domain, api_key, environment, outcome, secrets=used)
        try:
            yield towline
        finally:
            towline.client.close()
    finally:
        used.add_files(data / "keys")
        down = [*command, "down", "--all", "--data", str(data)]
        subprocess.run(down, env=environment, capture_output=True, timeout=_DOWN_SECONDS, check=False)
        remove_what_docker_keeps(data)
        leaks = used.find_leaks(data / "logs")
        shutil.rmtree(folder, ignore_errors=True)
    assert not leaks, f"secrets in the logs of a whole run: {leaks}"


def remove_what_docker_keeps(data: Path) -> None:
    """Remove this installation's containers, networks, volumes and images, which `down` leaves for the next `up`."""
    try:
        installation_id = json.loads((data / "state.json").read_text())["installation_id"]
    except (OSError, ValueError, KeyError):
        return
    mine = f"--filter=label=towline.instance-of={installation_id}"
    tagged = f"--filter=reference=towline-{installation_id}/*"
    for listing, removal in (
        (("ps", "--all", "--quiet", mine), ("rm", "--force", "--volumes")),
        (("network", "ls", "--quiet", mine), ("network", "rm")),
        (("volume", "ls", "--quiet", mine), ("volume", "rm", "--force")),
        (("images", "--format={{.Repository}}:{{.Tag}}", tagged), ("rmi", "--force")),
        (("images", "--quiet", mine), ("rmi", "--force")),
    ):
        if found := sorted(set(_docker(*listing).split())):
            _docker(*removal, *found)


def _docker(*arguments: str) -> str:
    finished = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=_DOWN_SECONDS, check=False
    )
    return finished.stdout


def _logs(data: Path) -> str:
    files = sorted((data / "logs").glob("*.log")) if (data / "logs").exists() else []
    return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files)
