"""The bell of the job queue: wakes a worker at once; the rows in PostgreSQL are the queue itself."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from towline.infra.streams import Streams, Subscription

_CHANNEL = "towline:bell"


class Bell:
    """Rings for workers. A lost ring costs at most one sweep interval, never a job."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def ring(self, name: str) -> None:
        """Wake whoever waits for `name` (a deployment id, `deployments`, `events`, …)."""
        await self._streams.publish(_CHANNEL, name.encode())

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator["Ringing"]:
        """Hear every ring from here on."""
        async with self._streams.subscribe(_CHANNEL) as subscription:
            yield Ringing(subscription)


class Ringing:
    """The rings one listener hears."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def wait(self, *, timeout: float) -> str:
        """The next ring's name; empty when none came in time or some may have been lost: then look yourself."""
        message = await self._subscription.get(timeout=timeout)
        if message is None and self._subscription.is_lagged:
            self._subscription.catch_up()
            await asyncio.sleep(0)
        return "" if message is None else message.decode()

    async def wait_for(self, name: str, *, timeout: float) -> None:
        """Return when one name rings, rings may have been lost, or the time is over, however much else rings."""
        look_at = time.monotonic() + timeout
        while (left := look_at - time.monotonic()) > 0:
            if await self.wait(timeout=left) in {name, ""}:
                return

    def forget(self) -> None:
        """Drop the rings that came until now: whoever looks at everything next needs none of them."""
        self._subscription.catch_up()
