"""Troubles: told when they have lasted, and once more when they are over."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from tests.stand_ins import World, make_world, stand_in_platform

from towline.actions.notifications.watching import free_disk_wanted, watch_troubles
from towline.actions.platform import Platform
from towline.models.base import utc_now
from towline.models.history import Event
from towline.models.notifications import Trouble
from towline.models.services import Route, Workload
from towline.routing.memory import MemoryRouter


class Refused(MemoryRouter):
    """A router whose authority gives no certificate."""

    async def get_certificate_problem(self, host: str) -> str:
        """Always the same."""
        return f"{host} has no DNS record."


@pytest.fixture
async def world(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[World]:
    """A project `shop` with the service `web`."""
    async with stand_in_platform(tmp_path, postgres_url=postgres_url, redis_url=redis_url) as platform:
        yield await make_world(platform)


async def _types(platform: Platform) -> list[str]:
    async with platform.database.transaction() as work:
        names = await work.session.scalars(select(Event.type).order_by(Event.id))
        return [name for name in names if name.partition(".")[0] in {"disk", "certificate"}]


async def test_a_full_disk_is_told_once(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    urls = {"postgres_url": postgres_url, "redis_url": redis_url}
    async with stand_in_platform(tmp_path, **urls, minimum_free_disk_bytes=2**60) as platform:
        await watch_troubles(platform)
        await watch_troubles(platform)
        assert await _types(platform) == ["disk.low"]
        assert free_disk_wanted(platform.settings, 100) == 2**60


async def test_a_trouble_that_was_told_is_told_over_and_one_that_did_not_last_is_not(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with stand_in_platform(tmp_path, postgres_url=postgres_url, redis_url=redis_url) as platform:
        now = utc_now()
        async with platform.database.transaction() as work:
            for host, told_at in (("told.example.com", now), ("new.example.com", None)):
                facts = {"kind": "certificate.failed", "message": "No DNS.", "told_at": told_at}
                work.session.add(Trouble(key=f"certificate:{host}", since=now, **facts))
        await watch_troubles(platform)
        async with platform.database.transaction() as work:
            events = list(await work.session.scalars(select(Event).where(Event.type == "certificate.recovered")))
        assert [event.data["message"] for event in events] == ["told.example.com"]


async def test_a_certificate_that_does_not_come_is_told_after_a_while(world: World) -> None:
    platform = replace(world.platform, router=Refused())
    await world.deploy_successfully()
    async with platform.database.transaction() as work:
        workload_id = await work.session.scalar(select(Workload.id))
        facts = {"host": "shop.example.com", "kind": "custom", "certificate": "acme"}
        work.session.add(Route(id="rou_1", workload_id=workload_id, **facts))
    await watch_troubles(platform)
    assert await _types(platform) == []
    async with platform.database.transaction() as work:
        await work.session.execute(update(Trouble).values(since=utc_now() - timedelta(minutes=11)))
    await watch_troubles(platform)
    await watch_troubles(platform)
    assert await _types(platform) == ["certificate.failed"]
