"""Redis/Valkey publish and subscribe: the bell of the queue, live events and live log lines of one process."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, cast

from valkey.asyncio import Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import NoBackoff
from valkey.exceptions import ValkeyError

_log = logging.getLogger(__name__)
_RECONNECT_SECONDS = 0.25
_CONFIRM_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_QUEUE_LIMIT = 1024


class _PubSub(Protocol):
    """What is used of valkey-py's PubSub, whose own types are incomplete."""

    async def subscribe(self, *channels: str) -> None: ...
    async def unsubscribe(self, *channels: str) -> None: ...
    def listen(self) -> AsyncIterator[dict[str, Any]]: ...


class _Pipeline(Protocol):
    def publish(self, channel: str, message: bytes) -> object: ...
    async def execute(self) -> object: ...


class _Redis(Protocol):
    """What is used of valkey-py's client."""

    async def publish(self, channel: str, message: bytes) -> int: ...
    async def ping(self) -> bool: ...
    async def aclose(self) -> None: ...
    def pubsub(self) -> AbstractAsyncContextManager[_PubSub]: ...
    def pipeline(self, *, transaction: bool) -> AbstractAsyncContextManager[_Pipeline]: ...


def _connect(url: str) -> _Redis:
    """A client without time limits of its own, which on Python 3.11 may swallow a cancel (`asyncio.wait_for`)."""
    client = cast("Any", Valkey)
    return client.from_url(url, retry=Retry(NoBackoff(), 1), socket_timeout=None, socket_connect_timeout=2)


class Subscription:
    """Messages of one channel. `is_lagged` turns true when some were lost (slow reader or lost connection)."""

    def __init__(self, limit: int) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(limit)
        self.is_lagged = False

    def put(self, message: bytes) -> None:
        """Add a message, or mark the reader as lagged: a slow reader never slows the rest."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.is_lagged = True

    async def get(self, *, timeout: float) -> bytes | None:
        """The next message, or None when none comes in time or messages were lost (see `is_lagged`)."""
        if self.is_lagged and self._queue.empty():
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                return await self._queue.get()
        return None

    def catch_up(self) -> None:
        """Drop what is waiting and forget the loss; the reader then reads the truth from the database."""
        self.is_lagged = False
        while not self._queue.empty():
            self._queue.get_nowait()


class Streams:
    """One connection for publishing, one for all subscriptions of the process; both come back by themselves.

    Nothing here is the truth: every message can be lost, and every reader also looks at the database.
    """

    def __init__(self, url: str) -> None:
        self._redis = _connect(url)
        self._listener_redis = _connect(url)
        self._subscribers: dict[str, set[Subscription]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._pubsub: _PubSub | None = None
        self._listener: asyncio.Task[None] | None = None

    async def publish(self, channel: str, message: bytes) -> int:
        """Send a message; how many processes get it, 0 when Redis does not answer (readers look at the database)."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._redis.publish(channel, message)
        except (ValkeyError, OSError):
            return 0

    async def publish_many(self, channel: str, messages: list[bytes]) -> bool:
        """Send several messages in one round trip."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._redis.pipeline(transaction=False) as pipe:
                for message in messages:
                    pipe.publish(channel, message)
                await pipe.execute()
        except (ValkeyError, OSError):
            return False
        return True

    @asynccontextmanager
    async def subscribe(self, *channels: str, limit: int = _QUEUE_LIMIT) -> AsyncGenerator[Subscription]:
        """Subscribe to channels; messages from here on arrive unless the subscription says it lagged."""
        subscription = Subscription(limit)
        for channel in channels:
            await self._add(channel, subscription)
        try:
            yield subscription
        finally:
            for channel in channels:
                await asyncio.shield(self._drop(channel, subscription))

    async def ping(self) -> bool:
        """Whether Redis answers."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return bool(await self._redis.ping())
        except (ValkeyError, OSError):
            return False

    async def close(self) -> None:
        """Close both connections."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
        await self._redis.aclose()
        await self._listener_redis.aclose()

    async def _add(self, channel: str, subscription: Subscription) -> None:
        is_new = channel not in self._subscribers
        self._subscribers.setdefault(channel, set()).add(subscription)
        confirmed = self._confirmed.setdefault(channel, asyncio.Event())
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="streams")
        if is_new and self._pubsub is not None:
            with contextlib.suppress(ValkeyError, OSError):
                await self._pubsub.subscribe(channel)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await confirmed.wait()

    async def _drop(self, channel: str, subscription: Subscription) -> None:
        readers = self._subscribers.get(channel, set())
        readers.discard(subscription)
        if readers or self._subscribers.pop(channel, None) is None:
            return
        self._confirmed.pop(channel, None)
        if self._pubsub is not None:
            with contextlib.suppress(ValkeyError, OSError):
                await self._pubsub.unsubscribe(channel)

    async def _listen(self) -> None:
        is_told = False
        while True:
            try:
                await self._receive()
            except (ValkeyError, OSError) as error:
                if self._pubsub is not None or not is_told:
                    _log.warning("The connection to Redis was lost: %s", error)
                is_told = True
            self._pubsub = None
            self._mark_all_lagged()
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _receive(self) -> None:
        async with self._listener_redis.pubsub() as pubsub:
            await pubsub.subscribe("towline:alive", *self._subscribers)
            self._pubsub = pubsub
            self._mark_all_lagged()
            async for message in pubsub.listen():
                self._dispatch(message)

    def _dispatch(self, message: dict[str, Any]) -> None:
        channel = cast("bytes", message["channel"]).decode()
        if message["type"] == "subscribe" and channel in self._confirmed:
            self._confirmed[channel].set()
        if message["type"] == "message":
            for subscription in self._subscribers.get(channel, ()):
                subscription.put(message["data"])

    def _mark_all_lagged(self) -> None:
        for readers in self._subscribers.values():
            for subscription in readers:
                subscription.is_lagged = True
