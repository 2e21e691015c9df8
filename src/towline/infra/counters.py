"""Counters in Redis/Valkey that end by themselves: how often something may be tried within a time."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol, cast

from valkey.asyncio import Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import NoBackoff
from valkey.exceptions import ValkeyError

_ANSWER_SECONDS: Final = 1.0
_MOST_LOCAL: Final = 50_000
_PREFIX: Final = "towline:tries:"
_TAKE: Final = """
for number, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[number]) then
        return {number, math.max(redis.call('TTL', key), 1)}
    end
end
for _, key in ipairs(KEYS) do
    if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, ARGV[#KEYS + 1]) end
end
return {0, 0}
"""
_GIVE_BACK: Final = """
for _, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
return 0
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """What is counted, and how often it may be within the time."""

    name: str
    most: int


@dataclass(frozen=True, slots=True)
class Full:
    """A limit that is reached, and the seconds until it is open again."""

    limit: Limit
    seconds: int


class _Redis(Protocol):
    """What is used of valkey-py's client, whose own types are incomplete."""

    def eval(self, script: str, count: int, *arguments: str) -> Awaitable[Any]: ...
    async def aclose(self) -> None: ...


class Counters:
    """Counts tries for all processes together; while Redis is away each process counts for itself, and never stops.

    Nothing is counted beyond a limit, so the number of counters is bounded by the limits themselves.
    """

    def __init__(self, url: str) -> None:
        client = cast("Any", Valkey)
        self._redis: _Redis = client.from_url(
            url, retry=Retry(NoBackoff(), 1), socket_timeout=None, socket_connect_timeout=_ANSWER_SECONDS
        )
        self._local = LocalCounters()

    async def take(self, limits: Sequence[Limit], *, within: timedelta) -> Full | None:
        """Count one try under all of some limits; or nothing, and the first that is reached already."""
        seconds = int(within.total_seconds())
        most = [str(limit.most) for limit in limits]
        found = await self._run(_TAKE, [limit.name for limit in limits], *most, str(seconds))
        if found is None:
            return self._local.take(limits, seconds=seconds)
        number, left = cast("list[int]", found)
        return Full(limits[number - 1], left) if number else None

    async def give_back(self, limits: Sequence[Limit]) -> None:
        """Take a try back: it was none, since it succeeded."""
        self._local.give_back(limits)
        await self._run(_GIVE_BACK, [limit.name for limit in limits])

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _run(self, script: str, names: Sequence[str], *arguments: str) -> Any:
        """What a script answers; None while Redis does not."""
        keys = [_PREFIX + hashlib.sha256(name.encode()).hexdigest() for name in names]
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._redis.eval(script, len(keys), *keys, *arguments)
        except (ValkeyError, OSError):
            return None


class LocalCounters:
    """The same within one process, of bounded size: what does not fit is refused."""

    def __init__(self, *, most: int = _MOST_LOCAL) -> None:
        self._most = most
        self._counts: dict[str, tuple[int, float]] = {}

    def take(self, limits: Sequence[Limit], *, seconds: int) -> Full | None:
        """Count one try under all of some limits; or nothing, and the first that is reached already."""
        now = time.monotonic()
        for limit in limits:
            count, ends_at = self._counts.get(limit.name, (0, now))
            if count >= limit.most and ends_at > now:
                return Full(limit, int(ends_at - now) + 1)
        if len(self._counts) + len(limits) > self._most:
            self._counts = {name: kept for name, kept in self._counts.items() if kept[1] > now}
        if len(self._counts) + len(limits) > self._most:
            return Full(limits[0], seconds)
        for limit in limits:
            count, ends_at = self._counts.get(limit.name, (0, now))
            self._counts[limit.name] = (count + 1, ends_at) if ends_at > now else (1, now + seconds)
        return None

    def give_back(self, limits: Sequence[Limit]) -> None:
        """Take a try back."""
        for limit in limits:
            count, ends_at = self._counts.get(limit.name, (0, 0.0))
            if count:
                self._counts[limit.name] = (count - 1, ends_at)
