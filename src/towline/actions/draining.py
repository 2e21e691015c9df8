"""Draining: how long an instance that gets no new requests is left to finish those it has."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from towline.actions.platform import Platform
from towline.errors import TowlineError
from towline.values import Instance

_LOOK_SECONDS = 0.5
_QUIET_LOOKS = 2


async def wait_until_drained(platform: Platform, instances: Sequence[Instance], *, least: timedelta) -> int:
    """Wait at least `least`, then until nothing moves any more or the drain limit; return how many are still busy.

    Open connections alone do not say busy (the router keeps idle ones), so bytes sent and received do.
    """
    await asyncio.sleep(least.total_seconds())
    limit = max(platform.settings.drain_limit - least, timedelta())
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await asyncio.gather(*(_wait_until_quiet(platform, instance) for instance in instances))
    except TimeoutError:
        return await _count_busy(platform, instances)
    return 0


async def _wait_until_quiet(platform: Platform, instance: Instance) -> None:
    last, quiet = await _traffic(platform, instance), 0
    while last >= 0 and quiet < _QUIET_LOOKS:
        if not await _has_connections(platform, instance):
            return
        await asyncio.sleep(_LOOK_SECONDS)
        now = await _traffic(platform, instance)
        quiet = quiet + 1 if now == last else 0
        last = now


async def _count_busy(platform: Platform, instances: Sequence[Instance]) -> int:
    return sum([await _has_connections(platform, instance) for instance in instances])


async def _has_connections(platform: Platform, instance: Instance) -> bool:
    """Whether the router holds connections to the instance; True where it cannot tell."""
    opened = await platform.router.get_open_requests(instance.workload_id)
    mine = [count for server, count in opened.items() if f"//{instance.address}:" in server]
    return bool(sum(mine)) if opened else True


async def _traffic(platform: Platform, instance: Instance) -> int:
    try:
        usage = await platform.orchestrator.get_usage(instance)
    except TowlineError:
        return -1
    return usage.received_bytes + usage.sent_bytes
