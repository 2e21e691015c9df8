"""Letting what must be quick go before what may wait, where both share one event loop."""

import asyncio
import contextlib
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

_CALM: Final = timedelta(milliseconds=20)
_LONGEST: Final = timedelta(milliseconds=250)


class Precedence:
    """Knows what quick things go on in this process; `calm` is how long after the last one others go on."""

    def __init__(self, *, calm: timedelta = _CALM, longest: timedelta = _LONGEST) -> None:
        self._calm_seconds = calm.total_seconds()
        self._longest_seconds = longest.total_seconds()
        self._going_on = 0
        self._is_calm = asyncio.Event()
        self._is_calm.set()
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def first(self) -> Generator[None]:
        """Something quick goes on in this block."""
        self._going_on += 1
        self._is_calm.clear()
        if self._timer is not None:
            self._timer.cancel()
        try:
            yield
        finally:
            self._going_on -= 1
            if not self._going_on:
                self._timer = asyncio.get_running_loop().call_later(self._calm_seconds, self._is_calm.set)

    async def give_way(self) -> None:
        """Return once nothing quick goes on, or after a bounded time, so that what waits is done in any case."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._longest_seconds):
                await self._is_calm.wait()
