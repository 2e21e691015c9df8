"""Build with the tree's own Dockerfile, or with one given inline."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from towline.builders.base import Builder
from towline.builders.buildkit import BuildKit
from towline.builders.recipe import Recipe, context_folder, find_dockerfile
from towline.errors import BuildFailed
from towline.values import BuildSpec, Image, Report


class DockerfileBuilder(Builder):
    """Builds what a Dockerfile says."""

    kind: ClassVar[str] = "dockerfile"

    def __init__(self, buildkit: BuildKit) -> None:
        self._buildkit = buildkit

    def detect(self, tree: Path) -> bool:
        """Whether the tree has a file called Dockerfile at its root."""
        return (tree / "Dockerfile").is_file()

    def generated_dockerfile(self, tree: Path, spec: BuildSpec) -> str | None:
        """The inline Dockerfile, None when the tree's own is used."""
        del tree  # it has no say in an inline Dockerfile
        return spec.dockerfile

    async def build(self, tree: Path, spec: BuildSpec, *, tag: str, labels: Sequence[str], report: Report) -> Image:
        """Build the tree; BuildFailed when it has no Dockerfile where the spec says."""
        recipe = await asyncio.to_thread(_recipe, tree, spec)
        return await self._buildkit.build(recipe, spec, tag=tag, labels=labels, report=report)


def _recipe(tree: Path, spec: BuildSpec) -> Recipe:
    if spec.dockerfile is not None:
        return Recipe(context_folder(tree, spec), text=spec.dockerfile)
    path = find_dockerfile(tree, spec)
    if path is None:
        raise BuildFailed(
            f"The source has no file {spec.dockerfile_path!r}.",
            hint="Set the path of the Dockerfile, counted from the root of the source, or let Towline detect the kind.",
        )
    return Recipe(context_folder(tree, spec), dockerfile=path)
