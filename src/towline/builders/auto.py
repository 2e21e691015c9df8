"""The builder that hands each tree to the one that fits it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from towline.builders.base import Builder
from towline.builders.detect import choose_builder
from towline.errors import BuildFailed
from towline.values import BuildSpec, Image, Report


class AutoBuilder(Builder):
    """Chooses among builders by the spec and by what is in the tree."""

    kind: ClassVar[str] = "auto"

    def __init__(self, builders: Sequence[Builder]) -> None:
        self._builders = {builder.kind: builder for builder in builders}

    def detect(self, tree: Path) -> bool:
        """Whether any of the builders can build the tree."""
        try:
            return bool(choose_builder(self._builders, tree, BuildSpec()))
        except BuildFailed:
            return False

    def generated_dockerfile(self, tree: Path, spec: BuildSpec) -> str | None:
        """The Dockerfile of the chosen builder."""
        return choose_builder(self._builders, tree, spec).generated_dockerfile(tree, spec)

    async def build(self, tree: Path, spec: BuildSpec, *, tag: str, labels: Sequence[str], report: Report) -> Image:
        """Build the tree with the chosen builder."""
        chosen = await asyncio.to_thread(choose_builder, self._builders, tree, spec)
        return await chosen.build(tree, spec, tag=tag, labels=labels, report=report)
