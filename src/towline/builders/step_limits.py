"""Keep every step of the running builds within its limits, by the cgroup each step gets from the daemon.

BuildKit of dockerd 20.10 ignores `--memory` and `--cgroup-parent`, so the limits are put on from outside.
"""

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from towline.builders.cgroups import (
    StepLimits,
    StepRoot,
    can_write_limits,
    count_kills,
    find_step_roots,
    kill_step,
    list_processes,
    memory_limit,
    write_memory_limit,
    write_step_limits,
)
from towline.values import Report

_MARKER: Final = re.compile(rb"towline-([0-9a-f]+)-(\d+)-(\d+)\.invalid")
_POLL_SECONDS: Final = 0.02
_CLAIM_TRIES: Final = 50
_LOWER_TRIES: Final = 5
_ROOTS_EVERY: Final = 10
_PAGE: Final = 4096


@dataclass(slots=True)
class LimitedBuild:
    """One running build. `marker` must reach the environment of its steps, so that they are known as its own."""

    id: str
    limits: StepLimits
    is_enforced: bool
    is_out_of_memory: bool = False

    @property
    def marker(self) -> str:
        """A host name nobody can have; it carries the limits, so that any Towline process puts the same ones on."""
        return f"towline-{self.id}-{self.limits.memory_bytes}-{int(self.limits.cpus * 1000)}.invalid"


@dataclass(slots=True)
class _Step:
    root: StepRoot
    name: str
    build_id: str = ""
    tries: int = 0
    is_settled: bool = False


@dataclass(slots=True)
class StepWatch:
    """Looks for new steps every 20 ms while builds run. A step nobody claims gets the widest limits of those running.

    `top` is where cgroups are mounted and `proc` where processes are.
    """

    docker_host: str = ""
    total_memory_bytes: int = 0
    top: Path = Path("/sys/fs/cgroup")
    proc: Path = Path("/proc")
    _running: dict[str, LimitedBuild] = field(default_factory=dict[str, LimitedBuild])
    _steps: dict[Path, _Step] = field(default_factory=dict[Path, _Step])
    _roots: list[StepRoot] = field(default_factory=list[StepRoot])
    _task: asyncio.Task[None] | None = None
    _was_said: bool = False

    @asynccontextmanager
    async def limited(self, limits: StepLimits, *, report: Report) -> AsyncGenerator[LimitedBuild]:
        """Limit the steps that carry the build's marker until the block is left."""
        build = LimitedBuild(secrets.token_hex(6), limits, is_enforced=self._can_enforce())
        if not build.is_enforced:
            await self._say_once(report, "that needs root and a Docker daemon on this machine")
            yield build
            return
        self._running[build.id] = build
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch(), name="build-step-limits")
        try:
            yield build
        finally:
            del self._running[build.id]
            await self._rest()

    def _can_enforce(self) -> bool:
        return (not self.docker_host or self.docker_host.startswith("unix://")) and can_write_limits(self.top)

    async def say_if_unseen(self, build: LimitedBuild, report: Report) -> None:
        """Say once that a build was not limited after all, because its steps are not where daemons put them."""
        if build.is_enforced and not self._roots:
            await self._say_once(report, "no cgroup of a build step was found")

    async def _say_once(self, report: Report, reason: str) -> None:
        if not self._was_said:
            self._was_said = True
            await report(f"Memory and CPU of builds cannot be limited here ({reason}); only their time is.")

    async def _rest(self) -> None:
        """Stop looking when nothing is built."""
        if self._running or self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self._steps.clear()

    async def _watch(self) -> None:
        count = 0
        while True:
            if not self._roots or count % _ROOTS_EVERY == 0:
                self._roots = await asyncio.to_thread(find_step_roots, self.top)
                await asyncio.to_thread(self._bound_all)
            count += 1
            self._notice()
            if waiting := [step for step in self._steps.values() if not step.is_settled]:
                await asyncio.to_thread(self._settle_all, waiting)
            await asyncio.sleep(_POLL_SECONDS)

    def _bound_all(self) -> None:
        """Bound all steps together, so that many builds at once leave the host its memory."""
        widest = max((build.limits.memory_bytes for build in self._running.values()), default=0)
        total = max(self.total_memory_bytes, widest) // _PAGE * _PAGE
        for root in self._roots:
            if total and not root.infix and memory_limit(root) != total:
                write_memory_limit(root, "", total)

    def _notice(self) -> None:
        """Learn of new and gone steps, and of kills in the known ones; a few small reads, so not in a thread."""
        seen = {root.memory / name: (root, name) for root in self._roots for name in root.list_steps()}
        known = self._steps
        self._steps = {path: known.get(path) or _Step(root=root, name=name) for path, (root, name) in seen.items()}
        for step in self._steps.values():
            build = self._running.get(step.build_id)
            if build and not build.is_out_of_memory and count_kills(step.root, step.name):
                build.is_out_of_memory = True

    def _settle_all(self, steps: list[_Step]) -> None:
        for step in steps:
            self._settle(step)

    def _settle(self, step: _Step) -> None:
        """Put on the limits the step's marker tells, and the widest ones until it shows."""
        step.tries += 1
        claim = self._read_claim(step)
        if claim is None and step.tries == 1:
            write_step_limits(step.root, step.name, self._widest())
        if claim is None:
            step.is_settled = step.tries >= _CLAIM_TRIES
            return
        step.build_id, limits = claim
        step.is_settled = write_step_limits(step.root, step.name, limits)
        if not step.is_settled and step.tries > _LOWER_TRIES:
            self._kill(step)

    def _kill(self, step: _Step) -> None:
        """The step took more than it may before the limit could be put on, and the kernel cannot take it back."""
        if build := self._running.get(step.build_id):
            build.is_out_of_memory = True
        kill_step(step.root, step.name)

    def _read_claim(self, step: _Step) -> tuple[str, StepLimits] | None:
        for process_id in list_processes(step.root, step.name)[:8]:
            try:
                found = _MARKER.findall((self.proc / str(process_id) / "environ").read_bytes())
            except OSError:
                continue
            claims = [(build_id.decode(), int(memory), int(cpu) / 1000) for build_id, memory, cpu in found]
            ours = [claim for claim in claims if claim[0] in self._running]
            if claims:
                build_id, memory, cpus = (ours or claims)[0]
                known = self._running.get(build_id)
                return build_id, known.limits if known else StepLimits(memory, cpus)
        return None

    def _widest(self) -> StepLimits:
        builds = [build.limits for build in list(self._running.values())]
        return StepLimits(
            max((limits.memory_bytes for limits in builds), default=self.total_memory_bytes),
            max((limits.cpus for limits in builds), default=1.0),
        )
