"""Images that were not built here: prebuilt ones, from a private registry, and inline Dockerfiles."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.parts import BASE, app, docker, failed, host_of, log_of, succeeded, write_tree
from tests.e2e.registry import Registry, running_registry
from tests.running import RunningTowline

from towline.contract.deployments import Deployment, DeployRequest
from towline.contract.registries import RegistryCreate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with a password."""
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def test_a_local_image_runs_without_any_registry(towline: RunningTowline, project: str) -> None:
    deployed = towline.command("deploy", "--image", BASE, "-p", project, "-s", "web", "--yes", "--json")
    assert deployed.returncode == 0, deployed.stderr
    deployment = Deployment.model_validate_json(deployed.stdout)
    assert deployment.image.startswith("sha256:") or "@sha256:" in deployment.image
    assert towline.get(host_of(deployment)).status_code == 404


def test_an_inline_dockerfile_is_built(towline: RunningTowline, project: str, tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(f"FROM {BASE}\nRUN echo inline > /www/index.html\n")
    deployed = towline.command("deploy", "--dockerfile", str(dockerfile), "-p", project, "-s", "web", "--yes", "--json")
    assert deployed.returncode == 0, deployed.stderr
    deployment = Deployment.model_validate_json(deployed.stdout)
    assert towline.get(host_of(deployment)).text == "inline\n"


def test_a_private_image_is_pulled_with_the_projects_credential(
    towline: RunningTowline, project: str, registry: Registry, tmp_path: Path
) -> None:
    name = registry.push(write_tree(tmp_path, app("from the registry")), "team/shop:1")
    towline.create_service(project)
    refused = _deploy(towline, project, image=name)
    assert "password" in failed(refused, "image-not-found")
    stored = towline.client.registries.create(
        RegistryCreate(host=registry.address, project=project, username="ann", password=registry.password)
    )
    assert registry.password not in stored.model_dump_json()
    deployment = succeeded(_deploy(towline, project, image=name))
    assert towline.get(host_of(deployment)).text == "from the registry"
    assert registry.password not in log_of(towline, deployment.id)
    assert name not in docker("images", "--format", "{{.Repository}}:{{.Tag}}")
    missing = _deploy(towline, project, image=f"{registry.address}/team/shop:9")
    assert f"{registry.address}/team/shop:9" in failed(missing, "image-not-found")
    assert towline.get(host_of(deployment)).text == "from the registry"


def test_labels_that_would_route_past_towline_are_refused(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    rule = "traefik.http.routers.mine.rule"
    refused = _deploy(towline, project, dockerfile=f"FROM {BASE}\nLABEL {rule}=Host(`bank.example`)\n")
    assert rule in failed(refused, "build-failed")


def test_what_came_with_one_project_s_credential_is_not_for_another(
    towline: RunningTowline, project: str, registry: Registry, tmp_path: Path
) -> None:
    name, other = registry.push(write_tree(tmp_path, app("members only")), "team/members:1"), f"{project}-other"
    dockerfile = f"FROM {name}\nRUN echo inside > /www/index.html\n"
    towline.create_service(project)
    towline.create_service(other)
    towline.client.registries.create(
        RegistryCreate(host=registry.address, project=project, username="ann", password=registry.password)
    )
    succeeded(_deploy(towline, project, image=name))
    built = succeeded(_deploy(towline, project, dockerfile=dockerfile))
    assert towline.get(host_of(built)).text == "inside\n"
    failed(_deploy(towline, other, image=name), "image-not-found")
    failed(_deploy(towline, other, dockerfile=dockerfile), "image-not-found")


def _deploy(towline: RunningTowline, project: str, **request: object) -> Deployment:
    asked = towline.client.services.deploy(project, "web", DeployRequest.model_validate(request))
    return towline.client.wait_for_deployment(asked.id, timeout=60)
