"""Capacity: how many builds run at once, and when one waits for memory or disk, with the reason."""

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from towline.config import Settings
from towline.errors import TimedOut

Tell = Callable[[str], Awaitable[None]]
_LOOK_SECONDS = 1.0


class BuildSlots:
    """Bounds the builds of one process; made once per process by wiring.

    A free place goes to the project that builds least now, so that the many builds of one do not hold up another's.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free = settings.build_concurrency
        self._held: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def slot(self, tell: Tell, *, project_id: str = "") -> AsyncGenerator[None]:
        """Hold a place to build; `tell` gets each new reason for waiting, and an empty one when it goes on.

        Raises TimedOut naming the reason when the wait is longer than `queue_wait_limit`.
        """
        limit = self._settings.queue_wait_limit.total_seconds()
        reason = shortage(self._settings)
        try:
            async with asyncio.timeout(limit):
                reason = await self._wait(tell, project_id)
        except TimeoutError as error:
            raise TimedOut(f"The build waited longer than {limit:g} s: {shortage(self._settings) or reason}") from error
        try:
            yield
        finally:
            self._release(project_id)

    async def _wait(self, tell: Tell, project_id: str) -> str:
        told = ""
        if not self._free:
            told = f"Waiting for one of {self._settings.build_concurrency} builds to end."
            await tell(told)
        await self._acquire(project_id)
        try:
            while reason := shortage(self._settings):
                if reason != told:
                    await tell(reason)
                    told = reason
                await asyncio.sleep(_LOOK_SECONDS)
            if told:
                await tell("")
        except BaseException:
            self._release(project_id)
            raise
        return told

    async def _acquire(self, project_id: str) -> None:
        place = (project_id, asyncio.get_running_loop().create_future())
        self._waiting.append(place)
        self._give_away()
        try:
            await place[1]
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            else:
                self._release(project_id)
            raise

    def _release(self, project_id: str) -> None:
        self._held[project_id] -= 1
        self._held += Counter()  # drops those that hold none
        self._free += 1
        self._give_away()

    def _give_away(self) -> None:
        while self._free and self._waiting:
            place = min(self._waiting, key=lambda waiting: self._held[waiting[0]])
            self._waiting.remove(place)
            self._free -= 1
            self._held[place[0]] += 1
            if not place[1].done():
                place[1].set_result(None)


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


def total_memory() -> int:
    """Memory of the machine in bytes."""
    return _meminfo("MemTotal")


def _meminfo(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def _mb(size: int) -> str:
    return f"{size // 1024**2} MB"
