"""Where BuildKit's build steps live in the cgroup tree, and the files that limit them (versions 1 and 2)."""

import contextlib
import errno
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PERIOD_MICROSECONDS: Final = 100_000
_UNLIMITED: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class StepLimits:
    """What every single build step may use."""

    memory_bytes: int
    cpus: float
    pids: int = 4096

    def __str__(self) -> str:
        return f"{self.memory_bytes // 2**20} MB of memory, {self.cpus:g} CPUs"


@dataclass(frozen=True, slots=True)
class StepRoot:
    """A folder whose children with `infix` in their names are build steps; an empty one means that all are.

    `memory`, `cpu` and `pids` are the same folder in each controller's tree (all equal in version 2).
    """

    memory: Path
    cpu: Path
    pids: Path
    version: int
    infix: str = ""

    def list_steps(self) -> set[str]:
        """Names of the steps running now."""
        try:
            with os.scandir(self.memory) as entries:
                return {entry.name for entry in entries if self.infix in entry.name and entry.is_dir()}
        except OSError:
            return set()


def find_step_roots(top: Path) -> list[StepRoot]:
    """Every place below the cgroup mount `top` where steps may appear; empty until the daemon ran its first step.

    dockerd with the cgroupfs driver uses `docker/buildkit/ID` (or its --cgroup-parent instead of `docker`), with the
    systemd driver `system.slice/system.slice:docker:ID` (moby issue 45796: the colons are taken literally).
    """
    version = 2 if (top / "cgroup.controllers").exists() else 1
    memory = top if version == 2 else top / "memory"
    found = [
        _root(top, folder.relative_to(memory), version=version)
        for folder in [*memory.glob("buildkit"), *memory.glob("*/buildkit")]
    ]
    if (memory / "system.slice").is_dir():
        places = (Path(), Path("system.slice"))
        found += [_root(top, place, version=version, infix=".slice:docker:") for place in places]
    return found


def can_write_limits(top: Path) -> bool:
    """Whether this process may put limits on cgroups of the daemon at all."""
    version = 2 if (top / "cgroup.controllers").exists() else 1
    return os.geteuid() == 0 and os.access(top if version == 2 else top / "memory", os.W_OK)


def write_step_limits(root: StepRoot, step: str, limits: StepLimits) -> bool:
    """Put the limits on one step; False when it already uses more memory than it may. Gone steps are fine."""
    quota = max(1000, int(limits.cpus * _PERIOD_MICROSECONDS))
    if root.version == 2:
        _write(root.cpu / step / "cpu.max", f"{quota} {_PERIOD_MICROSECONDS}")
        _write(root.memory / step / "memory.oom.group", "1")
    else:
        _write(root.cpu / step / "cpu.cfs_period_us", str(_PERIOD_MICROSECONDS))
        _write(root.cpu / step / "cpu.cfs_quota_us", str(quota))
    _write(root.pids / step / "pids.max", str(limits.pids))
    return write_memory_limit(root, step, limits.memory_bytes)


def write_memory_limit(root: StepRoot, step: str, memory_bytes: int) -> bool:
    """Bound memory and swap together (`step` empty: of the whole root); False when more is in use already."""
    folder = root.memory / step
    if root.version == 2:
        _write(folder / "memory.swap.max", "0")
        return _write(folder / "memory.max", str(memory_bytes))
    # In version 1 memory+swap may never be below memory: lower memory first, raise memory+swap first.
    names = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
    if read_number(folder / names[0]) < memory_bytes:
        names.reverse()
    written = [_write(folder / name, str(memory_bytes)) for name in names]
    return all(written)


def memory_limit(root: StepRoot) -> int:
    """The limit on all steps together, a very large number when there is none."""
    return read_number(root.memory / ("memory.max" if root.version == 2 else "memory.limit_in_bytes"))


def count_kills(root: StepRoot, step: str) -> int:
    """How many processes of the step the kernel killed for memory."""
    name = "memory.events" if root.version == 2 else "memory.oom_control"
    with contextlib.suppress(OSError, ValueError):
        for line in (root.memory / step / name).read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
    return 0


def kill_step(root: StepRoot, step: str) -> None:
    """Kill every process of the step."""
    for process_id in list_processes(root, step):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process_id, signal.SIGKILL)


def list_processes(root: StepRoot, step: str) -> list[int]:
    """Process ids of the step, the first one first; empty when it is gone."""
    try:
        return [int(line) for line in (root.memory / step / "cgroup.procs").read_text().split()]
    except (OSError, ValueError):
        return []


def read_number(path: Path) -> int:
    """The number in a cgroup file; a very large one for `max` and for files that are not there."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return _UNLIMITED


def _root(top: Path, relative: Path, *, version: int, infix: str = "") -> StepRoot:
    places = [top / relative] * 3 if version == 2 else [top / name / relative for name in ("memory", "cpu", "pids")]
    return StepRoot(*places, version=version, infix=infix)


def _write(path: Path, text: str) -> bool:
    """Write one cgroup file; False only when the kernel says the value is in conflict with what is in use."""
    try:
        path.write_text(text)
    except OSError as error:
        return error.errno != errno.EBUSY
    return True
