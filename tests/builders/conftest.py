"""What builder tests share: a base image made of busybox, and removal of what a test built."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.parts import Build, Lines, docker

from towline.builders.buildkit import BuildKit
from towline.builders.dockerfile import DockerfileBuilder
from towline.values import BuildSpec, Image


@pytest.fixture
def lines() -> Lines:
    """An empty report."""
    return Lines()


@pytest.fixture(scope="session")
def busybox_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A base image with a shell, made on this machine."""
    folder = tmp_path_factory.mktemp("busybox")
    shutil.copy("/bin/busybox", folder)
    (folder / "Dockerfile").write_text(
        'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "/bin"]\nENV PATH=/bin\n'
    )
    name = f"towline-test-busybox-{uuid.uuid4().hex[:8]}"
    docker("build", "--quiet", "-t", name, str(folder))
    yield name
    docker("image", "rm", "--force", name)


@pytest.fixture
def tag() -> Iterator[str]:
    """A tag of the test's own; images with it, or with it as their label, are removed afterwards."""
    name = f"towline-test/{uuid.uuid4().hex[:12]}:1"
    yield name
    found = docker("image", "ls", "--quiet", "--no-trunc", name).split()
    found += docker("image", "ls", "--quiet", "--no-trunc", "--filter", f"label=towline.test={name}").split()
    if found:
        docker("image", "rm", "--force", *dict.fromkeys(found))


@pytest.fixture
def buildkit() -> BuildKit:
    """Builds with small limits."""
    return BuildKit(memory_bytes=256 * 2**20, cpus=1)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty source tree."""
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


@pytest.fixture
def build(buildkit: BuildKit, tree: Path, tag: str, lines: Lines) -> Build:
    """Build the tree with a Dockerfile builder; keyword arguments make the spec."""

    async def run(**spec: object) -> Image:
        builder = DockerfileBuilder(buildkit)
        return await builder.build(tree, BuildSpec(**spec), tag=tag, labels=[f"towline.test={tag}"], report=lines)  # pyright: ignore[reportArgumentType]

    return run
