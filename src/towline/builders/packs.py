"""Build with nixpacks or railpack, where that program is installed: they know many more languages."""

import asyncio
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from towline.builders.base import Builder
from towline.builders.buildkit import BuildKit
from towline.builders.docker_cli import cli_environment
from towline.builders.recipe import Recipe, context_folder
from towline.errors import BuildFailed
from towline.infra.processes import run_process
from towline.infra.scratch import memory_folder, scratch_folder
from towline.values import BuildSpec, Image, Report

_PLAN_SECONDS: Final = 120.0


class NixpacksBuilder(Builder):
    """Lets nixpacks write a tree with a Dockerfile, and builds that within our limits."""

    kind: ClassVar[str] = "nixpacks"

    def __init__(self, buildkit: BuildKit, *, program: str = "") -> None:
        self._buildkit = buildkit
        self._program = program or self.kind

    def detect(self, tree: Path) -> bool:
        """Whether the program is installed; it says itself when it cannot build the tree."""
        return tree.is_dir() and shutil.which(self._program) is not None

    def generated_dockerfile(self, tree: Path, spec: BuildSpec) -> str | None:
        """None: the program writes its file during the build."""
        del tree, spec
        return None

    async def build(self, tree: Path, spec: BuildSpec, *, tag: str, labels: Sequence[str], report: Report) -> Image:
        """Plan, then build the plan."""
        context = await asyncio.to_thread(context_folder, tree, spec)
        async with scratch_folder(memory_folder("builds")) as folder:
            await self._plan(self.plan_command(context, folder / "plan", spec=spec), report=report)
            recipe, planned = self.recipe(context, folder / "plan", spec=spec)
            return await self._buildkit.build(recipe, planned, tag=tag, labels=labels, report=report)

    def plan_command(self, context: Path, plan: Path, *, spec: BuildSpec) -> list[str]:
        """The command that writes the plan."""
        start = [f"--start-cmd={shlex.join(spec.start_command)}"] if spec.start_command else []
        return [self._program, "build", f"--out={plan}", *start, "--", str(context)]

    def recipe(self, context: Path, plan: Path, *, spec: BuildSpec) -> tuple[Recipe, BuildSpec]:
        """What to build once the plan is written: nixpacks leaves a copy of the tree beside its Dockerfile."""
        del context
        return Recipe(plan, dockerfile=plan / ".nixpacks" / "Dockerfile"), spec

    async def _plan(self, command: list[str], *, report: Report) -> None:
        finished = await run_process(
            command, timeout_seconds=_PLAN_SECONDS, environment=cli_environment(""), report=report
        )
        if finished.exit_code != 0:
            raise BuildFailed(
                f"{self.kind} could not plan the build (exit code {finished.exit_code}).",
                hint=f"Its last lines were:\n{finished.tail[-2000:]}",
            )


class RailpackBuilder(NixpacksBuilder):
    """Lets railpack write a plan, which its own BuildKit frontend builds."""

    kind: ClassVar[str] = "railpack"

    def __init__(
        self, buildkit: BuildKit, *, program: str = "", frontend: str = "ghcr.io/railwayapp/railpack-frontend"
    ) -> None:
        super().__init__(buildkit, program=program)
        self._frontend = frontend

    def plan_command(self, context: Path, plan: Path, *, spec: BuildSpec) -> list[str]:
        """The command that writes the plan."""
        start = [f"--start-cmd={shlex.join(spec.start_command)}"] if spec.start_command else []
        return [self._program, "prepare", f"--plan-out={plan}", *start, "--", str(context)]

    def recipe(self, context: Path, plan: Path, *, spec: BuildSpec) -> tuple[Recipe, BuildSpec]:
        """The tree, with the plan in the place of a Dockerfile and railpack's frontend to read it."""
        arguments = {**spec.arguments, "BUILDKIT_SYNTAX": self._frontend}
        return Recipe(context, dockerfile=plan), replace(spec, arguments=arguments)
