"""Builds of strangers' commits: without secrets and credentials, and never in place of a build of the project's own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.actions.groups.stack import Stack
from tests.actions.previews.scene import Scene
from tests.stand_ins import make_world

from towline.actions.deployments.make import build_secrets_context
from towline.actions.platform import Platform
from towline.actions.registries import create_registry
from towline.builders.buildkit import BuildKit
from towline.builders.dockerfile import DockerfileBuilder
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.values import BuildSpec, Image, Report


class NotingBuilder(DockerfileBuilder):
    """Notes what it is asked to build, and makes an image of each name."""

    def __init__(self, engine: MemoryOrchestrator) -> None:
        super().__init__(BuildKit())
        self.specs: list[BuildSpec] = []
        self._engine = engine

    async def build(self, tree: Path, spec: BuildSpec, *, tag: str, labels: Sequence[str], report: Report) -> Image:
        self.specs.append(spec)
        return self._engine.add_image(tag)


@pytest.fixture
async def built(platform: Platform) -> tuple[Stack, NotingBuilder]:
    """A service that is built with a secret, from a registry that the project has credentials for."""
    engine = platform.orchestrator
    assert isinstance(engine, MemoryOrchestrator)
    builder = NotingBuilder(engine)
    platform = replace(platform, builder=builder)
    world = await make_world(platform, source_config={"dockerfile": "FROM registry.test/private/base"})
    secrets = platform.secrets.seal(orjson.dumps({"TOKEN": "s3cret"}), context=build_secrets_context(world.service))
    await world.change_service(build_secrets=secrets)
    async with platform.database.transaction() as work:
        await create_registry(
            platform, work, project_id=world.project.id, host="registry.test", username="ann", password="geheim"
        )
    return Stack(world, {"web": world.service}), builder


async def test_a_fork_is_built_without_what_the_project_keeps_and_its_image_is_its_own(
    built: tuple[Stack, NotingBuilder],
) -> None:
    stack, builder = built
    scene, fork = Scene(stack), dict[str, Any](origin="pull_request", number=7, is_fork=True, revision="1" * 40)
    preview = await scene.create("pr-7", **fork)
    assert builder.specs == []
    await scene.approve(preview, "1" * 40)
    await stack.work()
    await stack.world.change_service(build_secrets=None)
    await scene.create("own")
    await scene.create("again")
    stranger, own = builder.specs
    assert (dict(stranger.registries), dict(stranger.secrets)) == ({}, {})
    assert [(host, one.password) for host, one in own.registries.items()] == [("registry.test", "geheim")]
    assert stranger.cache_scope != own.cache_scope
