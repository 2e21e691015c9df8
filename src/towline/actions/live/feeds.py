"""Live logs: one follower per deployment and process, whoever listens."""

import asyncio
import contextlib
import logging
from contextlib import aclosing
from typing import Final

from towline.actions.live.listener import Listener
from towline.actions.live.rooms import get_last_line
from towline.actions.live.wire import log_message
from towline.actions.log_pages import LineChoice, follow_page, wait_until_final
from towline.actions.platform import Platform
from towline.errors import Unavailable

_RETRY_SECONDS: Final = 0.5
_START_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class LogFeed:
    """The log of one deployment, followed for all its listeners, from its present end until the deployment is final.

    What a listener misses because it came earlier or later, it reads from the database itself.
    """

    def __init__(self, platform: Platform, deployment_id: str) -> None:
        self.listeners: set[Listener] = set()
        self._platform = platform
        self._deployment_id = deployment_id
        self._last: int | None = None
        self._is_started = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"log feed {deployment_id}")

    @property
    def last(self) -> int:
        """The newest line that was passed on, or was there before; 0 while it has not started."""
        return self._last or 0

    async def wait_until_started(self) -> None:
        """Return once every line behind `last` will be passed on; Unavailable when that takes too long."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._is_started.wait()
        except TimeoutError as error:
            raise Unavailable("PostgreSQL does not answer.") from error

    async def close(self) -> None:
        """Follow no more."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        is_over = asyncio.Event()
        final = asyncio.create_task(self._set_when_final(is_over), name=f"end of {self._deployment_id}")
        try:
            while True:
                with contextlib.suppress(Unavailable):
                    return await self._follow(is_over)
                await asyncio.sleep(_RETRY_SECONDS)
        finally:
            final.cancel()
            await asyncio.wait([final])

    async def _follow(self, is_over: asyncio.Event) -> None:
        if self._last is None:
            self._last = await get_last_line(self._platform, self._deployment_id)
            self._is_started.set()
        choice = LineChoice(first=self._last + 1)
        async with aclosing(follow_page(self._platform, self._deployment_id, choice, is_over=is_over)) as batches:
            async for lines in batches:
                self._last = lines[-1]["sequence"]
                message = log_message(self._deployment_id, lines)
                for listener in self.listeners:
                    listener.put(message)

    async def _set_when_final(self, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            with contextlib.suppress(Unavailable):
                await wait_until_final(self._platform, self._deployment_id)
                is_over.set()
                return
            await asyncio.sleep(_RETRY_SECONDS)


class LogFeeds:
    """The feeds of one process."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._feeds: dict[str, LogFeed] = {}

    def join(self, deployment_id: str, listener: Listener) -> LogFeed:
        """Give a deployment's new lines to a listener from here on."""
        feed = self._feeds.get(deployment_id)
        if feed is None:
            feed = self._feeds[deployment_id] = LogFeed(self._platform, deployment_id)
        feed.listeners.add(listener)
        return feed

    async def leave(self, deployment_id: str, listener: Listener) -> None:
        """Give it no more; the last one to leave ends the feed."""
        feed = self._feeds.get(deployment_id)
        if feed is None:
            return
        feed.listeners.discard(listener)
        if not feed.listeners:
            del self._feeds[deployment_id]
            await feed.close()

    async def close(self) -> None:
        """End all feeds."""
        feeds = list(self._feeds.values())
        self._feeds.clear()
        for feed in feeds:
            await feed.close()
