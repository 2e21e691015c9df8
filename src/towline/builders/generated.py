"""What the builders that write their own Dockerfile have in common."""

import asyncio
import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from towline.builders.base import Builder
from towline.builders.buildkit import BuildKit
from towline.builders.manifests import ignore_rules
from towline.builders.recipe import Recipe, context_folder
from towline.values import BuildSpec, Image, Report

_ARGUMENT: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """The lines of a Dockerfile, the names no ignore rule may hide from it, and rules for what is to be hidden."""

    lines: Sequence[str]
    copied: Sequence[str] = ()
    hidden: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The Dockerfile."""
        return "\n".join([*self.lines, ""])


class GeneratedBuilder(Builder):
    """Writes a Dockerfile for a tree that has none, shows it, and builds it without touching the tree."""

    def __init__(self, buildkit: BuildKit) -> None:
        self._buildkit = buildkit

    @abstractmethod
    def write(self, folder: Path, spec: BuildSpec) -> GeneratedFile:
        """The Dockerfile for the folder; BuildFailed when something it needs to know cannot be found."""

    def generated_dockerfile(self, tree: Path, spec: BuildSpec) -> str | None:
        """The Dockerfile this builder would use."""
        return self.write(context_folder(tree, spec), spec).text

    async def build(self, tree: Path, spec: BuildSpec, *, tag: str, labels: Sequence[str], report: Report) -> Image:
        """Show the generated Dockerfile in the log, then build it."""
        recipe = await asyncio.to_thread(self._recipe, tree, spec)
        await report(f"Detected a {self.kind} project; generated Dockerfile:")
        for line in recipe.text.splitlines():
            await report(f"    {line}")
        return await self._buildkit.build(recipe, spec, tag=tag, labels=labels, report=report)

    def _recipe(self, tree: Path, spec: BuildSpec) -> Recipe:
        folder = context_folder(tree, spec)
        written = self.write(folder, spec)
        return Recipe(
            folder, text=written.text, ignore=ignore_rules(folder, needed=written.copied, hidden=written.hidden)
        )


def argument_lines(spec: BuildSpec) -> list[str]:
    """ARG instructions, so that the build arguments are in the environment of the install and build steps."""
    return [f"ARG {name}" for name in sorted(spec.arguments) if _ARGUMENT.fullmatch(name)]
