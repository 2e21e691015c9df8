"""What an instance uses, from two quick samples of the Engine's counters."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from towline.orchestrators.docker.engine import Document, Engine, section
from towline.values import ResourceUsage

_FIRST_SAMPLE_SECONDS: Final = 0.1
_REMEMBERED: Final = 4096
_OLDEST_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class CpuSample:
    """CPU time used so far, and when (both in seconds)."""

    used: float
    at: float


class UsageMeter:
    """Remembers each container's last CPU sample, so that a second look needs no pause."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._samples: OrderedDict[str, CpuSample] = OrderedDict()

    async def get_usage(self, engine_id: str) -> ResourceUsage:
        """CPU since the last look (at most two minutes ago), or over a tenth of a second."""
        before = self._samples.get(engine_id)
        if before is None or time.monotonic() - before.at > _OLDEST_SECONDS:
            before = cpu_sample(await self._read(engine_id))
            await asyncio.sleep(_FIRST_SAMPLE_SECONDS)
        document = await self._read(engine_id)
        sample = cpu_sample(document)
        self._remember(engine_id, sample)
        return usage_from(document, before=before, now=sample)

    async def _read(self, engine_id: str) -> Document:
        params = {"stream": "0", "one-shot": "1"}
        document: Document = await self._engine.call("GET", f"containers/{engine_id}/stats", params=params)
        return document

    def _remember(self, engine_id: str, sample: CpuSample) -> None:
        self._samples[engine_id] = sample
        self._samples.move_to_end(engine_id)
        while len(self._samples) > _REMEMBERED:
            self._samples.popitem(last=False)


def cpu_sample(document: Document) -> CpuSample:
    """The CPU time in the Engine's counters, as of now."""
    return CpuSample(_counter(document, "cpu_stats", "cpu_usage", "total_usage") / 1e9, time.monotonic())


def usage_from(document: Document, *, before: CpuSample, now: CpuSample) -> ResourceUsage:
    """Usage as `docker stats` counts it: memory without the page cache that can be dropped."""
    networks: dict[str, dict[str, int]] = section(document, "networks")
    details: dict[str, int] = section(document, "memory_stats", "stats")
    dropped = details.get("total_inactive_file", details.get("inactive_file", 0))
    elapsed = max(now.at - before.at, 1e-3)
    return ResourceUsage(
        cpu=max(0.0, (now.used - before.used) / elapsed),
        memory_bytes=max(0, _counter(document, "memory_stats", "usage") - dropped),
        memory_limit_bytes=_counter(document, "memory_stats", "limit"),
        received_bytes=sum(network.get("rx_bytes", 0) for network in networks.values()),
        sent_bytes=sum(network.get("tx_bytes", 0) for network in networks.values()),
    )


def _counter(document: Document, *keys: str) -> int:
    *sections, key = keys
    return int(section(document, *sections).get(key) or 0)
