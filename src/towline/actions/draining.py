"""Draining: how long an instance that gets no new requests is left to finish those it has."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import select

from towline.actions.platform import Platform
from towline.models.services import Instance as InstanceRow
from towline.values import Instance

_LOOK_SECONDS = 0.25


async def wait_until_drained(
    platform: Platform, instances: Sequence[Instance], *, environment_id: str, least: timedelta
) -> int:
    """Wait at least `least`, then until no request is open or the drain limit; return how many servers are still busy.

    Where the router cannot tell what is open, `least` is all there is.
    """
    servers = await _list_servers(platform, instances)
    if not servers:
        return 0
    await asyncio.sleep(least.total_seconds())
    limit = max(platform.settings.drain_limit - least, timedelta())
    with suppress(TimeoutError):
        async with asyncio.timeout(limit.total_seconds()):
            await _wait_until_idle(platform, environment_id, servers)
    return await _count_busy(platform, environment_id, servers)


async def _wait_until_idle(platform: Platform, environment_id: str, servers: Sequence[str]) -> None:
    while True:
        if not await _count_busy(platform, environment_id, servers):
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def _count_busy(platform: Platform, environment_id: str, servers: Sequence[str]) -> int:
    opened = await platform.router.get_open_requests(environment_id, servers=servers)
    return sum(1 for server in servers if opened.get(server))


async def _list_servers(platform: Platform, instances: Sequence[Instance]) -> list[str]:
    query = select(InstanceRow.address, InstanceRow.port).where(
        InstanceRow.id.in_([item.id for item in instances]), InstanceRow.port.is_not(None), InstanceRow.address != ""
    )
    async with platform.database.transaction() as work:
        return [f"http://{address}:{port}" for address, port in await work.session.execute(query)]
