"""The bundled example project: deployed once, at the very first start, through the same door as everyone's code."""

import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import as_file, files
from pathlib import Path

from towline.client import TowlineClient
from towline.contract.deployments import Deployment, DeployRequest
from towline.contract.projects import ProjectCreate
from towline.contract.services import ServiceCreate
from towline.errors import BuildFailed, Conflict, Unavailable
from towline.supervise.installation import Installation
from towline.supervise.packages import can_install_packages, install_packages
from towline.supervise.probes import answers_http

PROJECT = "hello"
_BUSYBOX = Path("/bin/busybox")
_DEPLOY_SECONDS = 180
_COMEBACK_SECONDS = 3.0
_ELF_INTERPRETER = b"/lib64/ld-linux", b"/lib/ld-linux", b"/lib/ld-musl"


def deploy_example(*, api_url: str, api_key: str, report: Callable[[str], None]) -> str:
    """Deploy the example and return its address.

    Raises Unavailable when its program cannot be had here, and what the deployment itself failed with.
    """
    busybox = _get_static_busybox(report)
    with TowlineClient(api_url, api_key) as client, tempfile.TemporaryDirectory() as folder:
        archive = pack_example(busybox, Path(folder) / "hello.tar")
        _create_service(client)
        upload = client.uploads.send(PROJECT, archive)
        deployment = client.services.deploy(PROJECT, PROJECT, DeployRequest(upload=upload.digest))
        finished = client.wait_for_deployment(deployment.id, timeout=_DEPLOY_SECONDS)
    return _url_of(finished)


def find_example(installation: Installation) -> str:
    """Address of the example when it still answers there (after a moment, if it has to be started again), or empty."""
    host = f"{PROJECT}.{installation.base_domain}"
    deadline = time.monotonic() + _COMEBACK_SECONDS
    while not answers_http(installation.ports.http, "/", server_name=host):
        if time.monotonic() > deadline:
            return ""
        time.sleep(0.1)
    return installation.url_of(host)


def pack_example(busybox: Path, archive: Path) -> Path:
    """The example's folder and its program as a tar archive."""
    with tarfile.open(archive, "w") as tar:
        for name in ("Dockerfile", "index.html"):
            with as_file(files("towline") / "examples" / "hello" / name) as path:
                tar.add(path, arcname=name)
        tar.add(busybox.resolve(), arcname="busybox")
    return archive


def is_static(program: Path) -> bool:
    """Whether a program runs in an image that holds nothing else: it names no dynamic loader."""
    if not program.exists():
        return False
    with program.open("rb") as file:
        head = file.read(4096)
    return head.startswith(b"\x7fELF") and not any(loader in head for loader in _ELF_INTERPRETER)


def _get_static_busybox(report: Callable[[str], None]) -> Path:
    if is_static(_BUSYBOX):
        return _BUSYBOX
    if can_install_packages():
        install_packages(["busybox-static"], report=report)
    if is_static(_BUSYBOX):
        return _BUSYBOX
    raise Unavailable(
        "The example needs the program /bin/busybox of the package busybox-static, which is not here.",
        hint="Install busybox-static, or deploy a project of your own with `towline deploy`.",
    )


def _create_service(client: TowlineClient) -> None:
    with suppress(Conflict):  # an earlier start was cut short
        client.projects.create(ProjectCreate(name=PROJECT, description="The example that comes with Towline"))
    with suppress(Conflict):
        client.services.create(PROJECT, ServiceCreate(name=PROJECT, port=8080))


def _url_of(deployment: Deployment) -> str:
    if deployment.error is not None:
        raise BuildFailed(
            f"The example could not be deployed: {deployment.error.message}",
            hint=deployment.error.hint or f"Read `towline logs --deployment {deployment.id}`.",
        )
    if not deployment.urls:
        raise Unavailable(f"The example's deployment ended as {deployment.status} without an address.")
    return deployment.urls[0]
