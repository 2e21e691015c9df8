"""Capacity: how many builds run at once, and when one waits for memory or disk, with the reason."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from towline.config import Settings
from towline.errors import TimedOut

Tell = Callable[[str], Awaitable[None]]
_LOOK_SECONDS = 1.0


class BuildSlots:
    """Bounds the builds of one process; made once per process by wiring."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.build_concurrency)

    @asynccontextmanager
    async def slot(self, tell: Tell) -> AsyncGenerator[None]:
        """Hold a place to build; `tell` gets each new reason for waiting, and an empty one when it goes on.

        Raises TimedOut naming the reason when the wait is longer than `queue_wait_limit`.
        """
        limit = self._settings.queue_wait_limit.total_seconds()
        reason = self._reason()
        try:
            async with asyncio.timeout(limit):
                reason = await self._wait(tell)
        except TimeoutError as error:
            raise TimedOut(f"The build waited longer than {limit:g} s: {self._reason() or reason}") from error
        try:
            yield
        finally:
            self._slots.release()

    async def _wait(self, tell: Tell) -> str:
        told = ""
        if self._slots.locked():
            told = f"Waiting for one of {self._settings.build_concurrency} builds to end."
            await tell(told)
        await self._slots.acquire()
        try:
            while reason := shortage(self._settings):
                if reason != told:
                    await tell(reason)
                    told = reason
                await asyncio.sleep(_LOOK_SECONDS)
            if told:
                await tell("")
        except BaseException:
            self._slots.release()
            raise
        return told

    def _reason(self) -> str:
        return shortage(self._settings)


def shortage(settings: Settings) -> str:
    """What is too scarce to begin a build, in one sentence; empty when nothing is."""
    memory = available_memory()
    if memory < settings.minimum_free_memory_bytes:
        return f"Waiting for memory: {_mb(memory)} free, {_mb(settings.minimum_free_memory_bytes)} needed."
    disk = shutil.disk_usage(settings.data_dir).free
    if disk < settings.minimum_free_disk_bytes:
        return f"Waiting for disk: {_mb(disk)} free, {_mb(settings.minimum_free_disk_bytes)} needed."
    return ""


def build_memory(settings: Settings) -> int:
    """Memory of one build in bytes: the setting, or a third of the machine's."""
    return settings.build_memory_bytes or _meminfo("MemTotal") // 3


def build_cpus(settings: Settings) -> float:
    """CPUs of one build: the setting, or half of the machine's, at least one."""
    return settings.build_cpus or max(1.0, (os.cpu_count() or 1) / 2)


def available_memory() -> int:
    """Memory that can be had without swapping, in bytes (proc(5), MemAvailable)."""
    return _meminfo("MemAvailable")


def _meminfo(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def _mb(size: int) -> str:
    return f"{size // 1024**2} MB"
