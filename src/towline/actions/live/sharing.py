"""Equal reads at the same moment are done once: hundreds of listeners of one build ask for the same things."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class SharedReads:
    """Reads that run, by what they are about."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, about: Hashable, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `read` gives, or what the same read gives that runs already; an error goes to all who wait for it.

        The answer may be as old as that read's beginning, so callers must be safe with one that is a moment late.
        """
        task = self._running.get(about)
        if task is None:
            task = self._running[about] = asyncio.create_task(read())
            task.add_done_callback(lambda done: self._forget(about, done))
        return await asyncio.shield(task)

    def _forget(self, about: Hashable, done: asyncio.Task[Any]) -> None:
        del self._running[about]
        if not done.cancelled():
            done.exception()  # all who waited may have gone
