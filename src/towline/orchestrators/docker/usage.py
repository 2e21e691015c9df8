"""What an instance uses: from the kernel's own counters where this machine has them, else from the Engine's."""

import asyncio
import os
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from towline.orchestrators.docker.commands import is_process_of
from towline.orchestrators.docker.engine import Document, Engine, section
from towline.values import ResourceUsage

_FIRST_SAMPLE_SECONDS: Final = 0.1
_REMEMBERED: Final = 4096
_OLDEST_SECONDS: Final = 120.0
_CGROUPS: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Counters:
    """One container's counters at `at` (monotonic seconds); `cpu_seconds` is what it has used so far."""

    at: float
    cpu_seconds: float
    memory_bytes: int
    memory_limit_bytes: int
    received_bytes: int
    sent_bytes: int


class UsageMeter:
    """Remembers each container's last counters, so that a second look needs no pause."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: OrderedDict[str, Counters] = OrderedDict()

    async def get_usage(self, engine_id: str) -> ResourceUsage:
        """CPU since the last look (at most two minutes ago), or over a tenth of a second."""
        document: Document = await self._engine.call("GET", f"containers/{engine_id}/json")
        process_id = int(document["State"]["Pid"])
        before = self._seen.get(engine_id)
        if before is None or time.monotonic() - before.at > _OLDEST_SECONDS:
            before = await self._read(engine_id, process_id)
            await asyncio.sleep(_FIRST_SAMPLE_SECONDS)
        now = await self._read(engine_id, process_id)
        self._remember(engine_id, now)
        return usage_between(before, now)

    async def _read(self, engine_id: str, process_id: int) -> Counters:
        if is_process_of(process_id, engine_id):
            try:
                return read_counters(process_id)
            except OSError:
                pass  # a cgroup layout of its own, or gone meanwhile: the Engine knows
        params = {"stream": "0", "one-shot": "1"}
        return counters_from_stats(await self._engine.call("GET", f"containers/{engine_id}/stats", params=params))

    def _remember(self, engine_id: str, counters: Counters) -> None:
        self._seen[engine_id] = counters
        self._seen.move_to_end(engine_id)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


def usage_between(before: Counters, now: Counters) -> ResourceUsage:
    """Usage now, with the CPU share since `before`; a restart in between counts as no use."""
    elapsed = max(now.at - before.at, 1e-3)
    return ResourceUsage(
        cpu=max(0.0, (now.cpu_seconds - before.cpu_seconds) / elapsed),
        memory_bytes=now.memory_bytes,
        memory_limit_bytes=now.memory_limit_bytes,
        received_bytes=now.received_bytes,
        sent_bytes=now.sent_bytes,
    )


def read_counters(process_id: int) -> Counters:
    """Counters of the container a process belongs to, for cgroup v1 and v2; OSError where they cannot be read."""
    paths = cgroup_paths(Path(f"/proc/{process_id}/cgroup").read_text())
    received, sent = network_totals(Path(f"/proc/{process_id}/net/dev").read_text())
    at = time.monotonic()
    if "memory" in paths:
        memory = _CGROUPS / "memory" / paths["memory"]
        cpu_seconds = _number(_CGROUPS / "cpuacct" / paths["cpuacct"] / "cpuacct.usage") / 1e9
        used, limit = _number(memory / "memory.usage_in_bytes"), _number(memory / "memory.limit_in_bytes")
        dropped = _table(memory / "memory.stat").get("total_inactive_file", 0)
    else:
        group = _CGROUPS / paths.get("", "")
        cpu_seconds = _table(group / "cpu.stat").get("usage_usec", 0) / 1e6
        used, limit = _number(group / "memory.current"), _number(group / "memory.max")
        dropped = _table(group / "memory.stat").get("inactive_file", 0)
    return Counters(at, cpu_seconds, max(0, used - dropped), _real_limit(limit), received, sent)


def cgroup_paths(table: str) -> dict[str, str]:
    """Path by controller in `/proc/PID/cgroup`; the unified hierarchy's controller is the empty name."""
    rows = (line.split(":", 2) for line in table.splitlines())
    return {name: path.lstrip("/") for _, names, path in rows for name in names.split(",")}


def network_totals(table: str) -> tuple[int, int]:
    """Bytes received and sent in `/proc/PID/net/dev`, without loopback."""
    rows = [line.replace(":", " ").split() for line in table.splitlines()[2:]]
    real = [row for row in rows if row[0] != "lo"]
    return sum(int(row[1]) for row in real), sum(int(row[9]) for row in real)


def counters_from_stats(document: Document) -> Counters:
    """The Engine's counters, read as `docker stats` does: memory without the page cache that can be dropped."""
    networks: dict[str, dict[str, int]] = section(document, "networks")
    memory = section(document, "memory_stats")
    details: dict[str, int] = section(memory, "stats")
    dropped = details.get("total_inactive_file", details.get("inactive_file", 0))
    return Counters(
        at=time.monotonic(),
        cpu_seconds=int(section(document, "cpu_stats", "cpu_usage").get("total_usage") or 0) / 1e9,
        memory_bytes=max(0, int(memory.get("usage") or 0) - dropped),
        memory_limit_bytes=_real_limit(int(memory.get("limit") or 0)),
        received_bytes=sum(network.get("rx_bytes", 0) for network in networks.values()),
        sent_bytes=sum(network.get("tx_bytes", 0) for network in networks.values()),
    )


def _real_limit(limit: int) -> int:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(limit or machine, machine)


def _number(path: Path) -> int:
    text = path.read_text().strip()
    return int(text) if text.isdecimal() else 0  # cgroup v2 writes "max" for no limit


def _table(path: Path) -> dict[str, int]:
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}
