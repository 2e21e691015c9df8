"""The real git client before a served application, with a worker whose builds do what the pushed Dockerfile says."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from tests.web.serving import Served, serving

from towline.actions.deployments.attempt import Attempt, claim_next
from towline.actions.deployments.pipeline import run_deployment
from towline.actions.groups.attempt import GroupAttempt, claim_next_group
from towline.actions.groups.run import run_group
from towline.actions.platform import Platform
from towline.builders.base import Builder
from towline.errors import BuildFailed
from towline.orchestrators.base import Orchestrator
from towline.values import BuildSpec, Image, Report


class ObedientBuilder(Builder):
    """Says the lines of the Dockerfile; FAIL fails, HOLD waits until `let_go`."""

    kind: ClassVar[str] = "obedient"

    def __init__(self, orchestrator: Orchestrator) -> None:
        self.trees: list[dict[str, str]] = []
        self.is_holding = asyncio.Event()
        self.let_go = asyncio.Event()
        self._orchestrator = orchestrator

    def detect(self, tree: Path) -> bool:
        return True

    def generated_dockerfile(self, tree: Path, spec: BuildSpec) -> str | None:
        return None

    async def build(self, tree: Path, spec: BuildSpec, *, tag: str, labels: Sequence[str], report: Report) -> Image:
        content = await asyncio.to_thread(_read_tree, tree)
        self.trees.append(content)
        for line in content["Dockerfile"].splitlines():
            await report(line)
            if line == "FAIL":
                raise BuildFailed("The step FAIL ended with exit code 1.")
            if line == "HOLD":
                self.is_holding.set()
                await self.let_go.wait()
        return await self._orchestrator.pull_image(f"app:{len(self.trees)}", credential=None, report=report)


@dataclass(frozen=True)
class Answer:
    """How git ended, and all it said."""

    exit_code: int
    said: str


@dataclass
class Clone:
    """A work tree with the service's repository as its remote `towline`."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])

    async def git(self, *arguments: str, stdin: bytes = b"") -> Answer:
        """Run git."""
        process = await asyncio.create_subprocess_exec(
            *("git", *arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate(stdin)
        return Answer(process.returncode or 0, output.decode(errors="replace"))

    async def do(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run git, insisting on success; what it said."""
        answer = await self.git(*arguments, stdin=stdin)
        assert answer.exit_code == 0, answer.said
        return answer.said.strip()

    async def commit(self, message: str = "Change", **files: str) -> str:
        """Write files (`__` in a name stands for a slash), commit; the commit's id."""
        for name, text in files.items():
            path = self.folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        await self.do("add", "--all")
        await self.do("commit", "--quiet", "--allow-empty", "--message", message)
        return await self.do("rev-parse", "HEAD")

    async def push(self, *refs: str) -> Answer:
        """Push to Towline."""
        return await self.git("push", "towline", *(refs or ("main",)))

    async def list_remote(self) -> dict[str, str]:
        """What Towline has, by its full name."""
        lines = (await self.do("ls-remote", "towline")).splitlines()
        return {name: revision for revision, name in (line.split("\t") for line in lines)}


@dataclass
class Pushing:
    """A served application whose service `web` is pushed to."""

    served: Served
    builder: ObedientBuilder
    folder: Path

    def address(self, token: str | None = None, *, project: str = "shop", service: str = "web") -> str:
        """Where to push, with a key as the password."""
        password = self.served.owner.token if token is None else token
        return f"http://git:{password}@127.0.0.1:{self.served.port}/git/{project}/{service}.git"

    async def clone(self, name: str = "work", *, token: str | None = None) -> Clone:
        """A new work tree."""
        folder = self.folder / name
        await asyncio.to_thread(folder.mkdir)
        clone = Clone(folder, _environment(self.folder))
        await clone.do("init", "--quiet", "--initial-branch=main")
        await clone.do("remote", "add", "towline", self.address(token))
        return clone


@asynccontextmanager
async def pushing(platform: Platform, folder: Path, **source: object) -> AsyncGenerator[Pushing]:
    """Serve, work, and have the service `web` take pushes; `source` is the configuration of its source."""
    builder = ObedientBuilder(platform.orchestrator)
    platform = replace(platform, builder=builder)
    async with serving(platform) as served:
        await served.world.change_service(source_type="push", source_config=source)
        working = asyncio.create_task(_work(platform))
        try:
            yield Pushing(served, builder, folder)
        finally:
            builder.let_go.set()
            working.cancel()
            await asyncio.wait([working])


async def _work(platform: Platform) -> None:
    attempts: dict[str, Attempt] = {}
    groups: dict[str, GroupAttempt] = {}
    async with asyncio.TaskGroup() as tasks, platform.bell.listen() as ringing:
        while True:
            while deployment := await claim_next(platform):
                tasks.create_task(run_deployment(platform, deployment, attempts))
            while group := await claim_next_group(platform):
                tasks.create_task(run_group(platform, group, groups))
            name = await ringing.wait(timeout=0.2)
            if name in attempts:
                attempts[name].nudge()


def _read_tree(tree: Path) -> dict[str, str]:
    return {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada Lovelace",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada Lovelace",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
        "no_proxy": "*",
    }
