"""One whole Towline for all end-to-end tests of a session."""

import secrets
from collections.abc import Iterator

import pytest
from tests.e2e.parts import BASE, build_base, docker
from tests.running import RunningTowline, running_towline

QUICK = {
    "TOWLINE_DRAIN": "PT0.2S",
    "TOWLINE_STOP_GRACE": "PT1S",
    "TOWLINE_HEALTH_TIMEOUT": "PT8S",
    "TOWLINE_HEALTH_INTERVAL": "PT1S",
    "TOWLINE_SWEEP_INTERVAL": "PT1S",
}
"""Settings that make waiting short."""


@pytest.fixture(scope="session")
def base_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of busybox that apps of the tests start from."""
    build_base(tmp_path_factory.mktemp("base"))
    yield BASE
    docker("image", "rm", "--force", BASE)


@pytest.fixture(scope="session")
def towline(base_image: str) -> Iterator[RunningTowline]:
    """A Towline that runs, with real Docker and Traefik."""
    settings = {
        **QUICK,
        "TOWLINE_FETCH_MAX_BYTES": "200000000",
        "TOWLINE_FETCH_MAX_FILES": "2000",
        "TOWLINE_BUILD_MEMORY_BYTES": str(256 * 1024 * 1024),
        "TOWLINE_STATIC_IMAGE": base_image,
        "TOWLINE_STATIC_SERVER": "busybox",
        "TOWLINE_FETCH_TIMEOUT": "PT12S",
        "TOWLINE_PYTHON_IMAGE": base_image,
        "TOWLINE_NODE_IMAGE": base_image,
    }
    with running_towline(**settings) as running:
        yield running


@pytest.fixture
def project(towline: RunningTowline) -> Iterator[str]:
    """The name of a project that no other test uses; it is deleted afterwards with all that runs of it."""
    name = f"p{secrets.token_hex(4)}"
    yield name
    if name in [item.name for item in towline.client.projects.iterate()]:
        towline.client.projects.delete(name)
