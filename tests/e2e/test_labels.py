"""Labels mode: a Traefik that the user runs routes to what Towline deploys."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.e2e.conftest import QUICK
from tests.e2e.parts import app, containers_of, inspect, succeeded
from tests.ports import free_port
from tests.running import RunningTowline, running_towline, wait_for

from towline.supervise.traefik import find_traefik_binary

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def own_traefik(tmp_path: Path) -> Iterator[str]:
    """The address of a Traefik that reads labels from Docker, as people set it up."""
    port = free_port()
    options = [
        f"--entryPoints.web.address=127.0.0.1:{port}",
        "--entryPoints.web.http.tls=true",
        "--providers.docker.exposedByDefault=false",
        "--providers.docker.constraints=LabelRegex(`towline.project`,`^labels`)",
        "--providers.providersThrottleDuration=100ms",
        "--certificatesResolvers.letsencrypt.acme.email=ops@example.com",
        f"--certificatesResolvers.letsencrypt.acme.storage={tmp_path}/acme.json",
        "--certificatesResolvers.letsencrypt.acme.caServer=https://127.0.0.1:1/dir",
        "--certificatesResolvers.letsencrypt.acme.tlsChallenge=true",
    ]
    with (
        (tmp_path / "traefik.log").open("wb") as log,
        subprocess.Popen([find_traefik_binary(), *options], cwd=tmp_path, stdout=log, stderr=log) as process,
    ):
        yield f"https://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
def towline(base_image: str) -> Iterator[RunningTowline]:
    """A Towline without a Traefik; its client speaks to the API itself."""
    with running_towline(**QUICK, TOWLINE_ROUTING="labels") as running:
        running.bypass_router()
        yield running


def test_a_users_own_traefik_serves_what_is_deployed(towline: RunningTowline, own_traefik: str) -> None:
    project = f"labels{free_port()}"
    towline.create_service(project)

    def get() -> str | None:
        headers = {"Host": f"web-{project}.localhost"}
        try:
            return httpx2.get(own_traefik, headers=headers, verify=False, trust_env=False, timeout=5).text
        except httpx2.HTTPError:
            return None

    for text in ("one", "two"):
        deployment = succeeded(towline.deploy_files(project, app(text)))
        wait_for(lambda wanted=text: get() == wanted)
    assert deployment.urls
    labels = inspect(containers_of(project)[0])["Config"]["Labels"]
    assert labels["traefik.enable"] == "true"
    assert not (towline.folder / "logs" / "traefik.log").exists()
