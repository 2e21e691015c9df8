"""Both orchestrators, each cleaned of whatever a test leaves."""

import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping

import pytest
from tests.orchestrators.parts import PROGRAMS, Bench, busybox_tar, docker, import_image

from towline.orchestrators.base import Orchestrator
from towline.orchestrators.docker.orchestrator import DockerOrchestrator
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator


@pytest.fixture(scope="session")
def docker_images() -> Iterator[Mapping[str, str]]:
    """Image ids by behaviour, removed at the end of the session."""
    root, repository = busybox_tar(), f"towline-test-{uuid.uuid4().hex[:8]}"
    tags = {name: f"{repository}/{name}:1" for name in PROGRAMS}
    images = {name: import_image(tags[name], root, f'CMD ["/bin/sh", "-c", "{PROGRAMS[name]}"]') for name in PROGRAMS}
    yield {**images, "missing": f"{repository}/missing:1"}
    docker("image", "rm", "--force", *tags.values())


@pytest.fixture
async def docker_bench(docker_images: Mapping[str, str]) -> AsyncGenerator[Bench]:
    """The Docker orchestrator as an installation of its own."""
    installation_id = f"test-{uuid.uuid4().hex[:8]}"
    orchestrator = DockerOrchestrator(docker_host="", installation_id=installation_id, network_pool="10.214.0.0/16")
    async with orchestrator.session():
        network = f"towline-{installation_id}"
        await orchestrator.ensure_network(network, labels={})
        yield Bench(orchestrator, docker_images, network)
        await _clean(orchestrator)
    strays = docker("ps", "--all", "--quiet", "--filter", f"label=towline.instance-of={installation_id}")
    assert strays == ""


@pytest.fixture
async def memory_bench() -> AsyncGenerator[Bench]:
    """The stand-in."""
    orchestrator = MemoryOrchestrator()
    images = {name: orchestrator.add_image(f"towline-test/{name}").reference for name in PROGRAMS}
    async with orchestrator.session():
        await orchestrator.ensure_network("towline-test", labels={})
        yield Bench(orchestrator, {**images, "missing": "towline-test/missing:1"}, "towline-test")


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.docker)])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Every orchestrator that keeps the contract."""
    return request.getfixturevalue(f"{request.param}_bench")


async def _clean(orchestrator: Orchestrator) -> None:
    for instance in await orchestrator.list_instances():
        await orchestrator.remove(instance, grace_seconds=0)
    await orchestrator.remove_commands()
    for network in await orchestrator.list_networks():
        await orchestrator.remove_network(network)
