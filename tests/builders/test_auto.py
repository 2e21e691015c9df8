"""The builder that chooses: what it shows, and one build through it."""

from pathlib import Path

import pytest
from tests.builders.parts import Lines, write_files

from towline.builders.auto import AutoBuilder
from towline.builders.buildkit import BuildKit
from towline.builders.dockerfile import DockerfileBuilder
from towline.builders.static import StaticBuilder, StaticServer
from towline.values import BuildSpec


@pytest.fixture
def auto(buildkit: BuildKit) -> AutoBuilder:
    """Chooses between Dockerfiles and static sites."""
    server = StaticServer("scratch", "busybox")
    return AutoBuilder([DockerfileBuilder(buildkit), StaticBuilder(buildkit, server=server)])


def test_chosen_builder_shows_its_dockerfile(auto: AutoBuilder, tree: Path) -> None:
    assert not auto.detect(tree)

    write_files(tree, {"index.html": ""})

    assert auto.detect(tree)
    assert (auto.generated_dockerfile(tree, BuildSpec()) or "").startswith("FROM scratch\nCOPY ./ /site/\n")
    assert auto.generated_dockerfile(tree, BuildSpec(dockerfile="FROM x")) == "FROM x"


@pytest.mark.docker
async def test_chosen_builder_builds(auto: AutoBuilder, tree: Path, tag: str, lines: Lines) -> None:
    write_files(tree, {"index.html": "hello"})

    image = await auto.build(tree, BuildSpec(), tag=tag, labels=[f"towline.test={tag}"], report=lines)

    assert image.port == 8080
    assert lines[0] == "Detected a static project; generated Dockerfile:"
