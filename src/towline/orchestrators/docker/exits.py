"""The moment an instance's main process ends, from the kernel, where the Engine runs on this machine."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from towline.errors import NotFound
from towline.orchestrators.docker.commands import is_process_of
from towline.orchestrators.docker.engine import Document, Engine
from towline.orchestrators.docker.payloads import INSTANCE_LABEL, WORKLOAD_LABEL
from towline.values import InstanceEvent

_WATCHED_AT_MOST: Final = 400
"""Each takes a file descriptor, of which a process often has 1024; the others' exits are the Engine's to tell."""
_LOOKS_AT_ONCE: Final = 4


class ExitWatch:
    """Tells of an exit at once, which the Engine does only after it has cleaned up (0.2 to 0.6 s).

    Process descriptors (pidfd_open(2)) are readable once the process is dead. Where the Engine's processes are none
    of this machine's, nothing is watched and nothing told.
    """

    def __init__(self, engine: Engine, tell: Callable[[InstanceEvent], None]) -> None:
        self._engine = engine
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._descriptors: dict[str, int] = {}
        self._looks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_LOOKS_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        looks = list(self._looks)
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        for engine_id in list(self._descriptors):
            self._forget(engine_id)

    def add(self, engine_id: str) -> None:
        """Watch a container's main process from now on, as soon as its number is known."""
        look = self._loop.create_task(self._look(engine_id), name=f"look at {engine_id[:12]}")
        self._looks.add(look)
        look.add_done_callback(self._on_looked)

    def _on_looked(self, look: asyncio.Task[None]) -> None:
        self._looks.discard(look)
        if not look.cancelled():
            look.exception()  # an Engine that does not answer is told of by its events

    async def _look(self, engine_id: str) -> None:
        async with self._slots:
            with contextlib.suppress(NotFound):
                document: Document = await self._engine.call("GET", f"containers/{engine_id}/json")
                self._watch(engine_id, document)

    def _watch(self, engine_id: str, document: Document) -> None:
        process_id = int(document["State"].get("Pid") or 0)
        if engine_id in self._descriptors or len(self._descriptors) >= _WATCHED_AT_MOST or process_id <= 0:
            return
        try:
            descriptor = os.pidfd_open(process_id)
        except OSError:
            return
        # Looked at after opening: a number that another process has by now is not the container's any more.
        if not is_process_of(process_id, engine_id):
            os.close(descriptor)
            return
        labels: dict[str, str] = document["Config"]["Labels"]
        event = InstanceEvent("exit", labels[INSTANCE_LABEL], labels[WORKLOAD_LABEL])
        self._descriptors[engine_id] = descriptor
        self._loop.add_reader(descriptor, self._on_exit, engine_id, event)

    def _on_exit(self, engine_id: str, event: InstanceEvent) -> None:
        self._forget(engine_id)
        self._tell(event)

    def _forget(self, engine_id: str) -> None:
        descriptor = self._descriptors.pop(engine_id)
        self._loop.remove_reader(descriptor)
        os.close(descriptor)
