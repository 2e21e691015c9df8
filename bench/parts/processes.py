"""Memory and CPU of a running Towline, process by process, as the kernel counts them."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Use:
    """What one part of Towline takes: memory in MB (PSS), and CPU seconds since its processes started."""

    pss_mb: float
    cpu_seconds: float


def use_by_part(data_folder: Path) -> dict[str, Use]:
    """Every process of a Towline by its part: the supervisor, what it keeps, and their children."""
    status = json.loads((data_folder / "run" / "status.json").read_text())
    roots = {int(part["process_id"]): name for name, part in status["parts"].items() if part["process_id"]}
    roots[int(status["supervisor"])] = "supervisor"
    parents = _parents()
    found: dict[str, Use] = {}
    for process_id in parents:
        name = _root_of(process_id, parents, roots)
        use = _find_use(process_id) if name else None
        if name and use:
            before = found.get(name, Use(0, 0))
            found[name] = Use(before.pss_mb + use.pss_mb, before.cpu_seconds + use.cpu_seconds)
    return found


def cpu_percent(before: dict[str, Use], after: dict[str, Use], seconds: float) -> dict[str, float]:
    """Percent of one core that each part took between two looks."""
    nothing = Use(0, 0)
    return {
        name: 100 * (use.cpu_seconds - before.get(name, nothing).cpu_seconds) / seconds for name, use in after.items()
    }


def cpu_in_words(before: dict[str, Use], after: dict[str, Use]) -> str:
    """CPU seconds that each part took between two looks."""
    return ", ".join(
        f"{name} {use.cpu_seconds - before.get(name, Use(0, 0)).cpu_seconds:.1f} s" for name, use in after.items()
    )


def wait_seconds(seconds: float) -> float:
    """Wait, and return how long it really took."""
    began_at = time.monotonic()
    time.sleep(seconds)
    return time.monotonic() - began_at


def _root_of(process_id: int, parents: dict[int, int], roots: dict[int, str]) -> str:
    """The part a process belongs to: the nearest of its ancestors that is the main process of one."""
    while process_id > 1:
        if process_id in roots:
            return roots[process_id]
        process_id = parents.get(process_id, 0)
    return ""


def _parents() -> dict[int, int]:
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _find_stat(int(entry.name))):
            found[int(entry.name)] = int(fields[1])
    return found


def _find_stat(process_id: int) -> list[str]:
    """Fields of proc_pid_stat(5) from the third on (the name before may hold anything); none when it has gone."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _find_use(process_id: int) -> Use | None:
    fields = _find_stat(process_id)
    try:
        rollup = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    except OSError:
        return None
    pss = next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    ticks = sum(int(field) for field in fields[11:15])  # own and waited-for children, user and system
    return Use(pss / 1024, ticks / _TICKS)
