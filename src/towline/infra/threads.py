"""Blocking work in a thread that ends when the task waiting for it is cancelled."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
Check = Callable[[], None]
"""Called often by the work itself; raises Stopped once nobody waits for the result any more."""


class Stopped(Exception):
    """Raised inside the thread only, so that the work unwinds and cleans up."""


async def run_stoppable(work: Callable[[Check], Result]) -> Result:
    """Run `work(check)` in a thread; a cancelled task goes on only after the thread has unwound."""
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Stopped

    thread = asyncio.ensure_future(asyncio.to_thread(work, check))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([thread])
        if not thread.cancelled():
            thread.exception()
        raise
