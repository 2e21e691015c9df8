"""Run logs: what a service that writes too much gets into its log."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from tests.stand_ins import World

from towline.actions.janitor import trim_logs
from towline.actions.log_allowance import Allowance
from towline.actions.logs import LogWriter, read_lines
from towline.actions.run_logs import RunLogs
from towline.models.base import utc_now
from towline.models.history import Log
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.values import Instance, LogEntry

CHATTY = 6000


def test_after_a_burst_no_more_than_the_rate_comes_in_and_what_does_not_is_counted() -> None:
    now = [0.0]
    allowance = Allowance(lines_per_second=8, bytes_per_second=1024, clock=lambda: now[0])
    assert sum(allowance.admits(1) for _ in range(1000)) == 160
    assert allowance.take_notice().startswith("840 lines (0.0 MB) left out")
    now[0] = 0.75
    assert not allowance.is_open
    now[0] = 1.0
    assert sum(allowance.admits(1) for _ in range(1000)) == 8
    assert allowance.left_out == 992
    now[0] = 100.0
    assert sum(allowance.admits(900) for _ in range(1000)) == 23  # 20 s of bytes, and the line that crosses the border


class ChattyEngine(MemoryOrchestrator):
    """Its instances print as fast as they can, then end."""

    async def follow_logs(self, instance: Instance, *, since: datetime | None = None) -> AsyncGenerator[LogEntry]:
        """Very many lines."""
        for number in range(CHATTY):
            yield LogEntry(utc_now(), f"line {number}", "stdout", "info", instance.id)


def is_all(lines: list[dict[str, Any]]) -> bool:
    """Whether every line is there or counted as left out."""
    notices = [line["message"] for line in lines if "left out" in line["message"]]
    left_out = sum(int(notice.split()[0].replace(",", "")) for notice in notices)
    return left_out + len(lines) - len(notices) == CHATTY


async def test_a_service_that_floods_its_log_is_cut_short_and_told(world: World) -> None:
    settings = world.platform.settings.model_copy(update={"run_log_lines_per_second": 100})
    platform = replace(world.platform, orchestrator=ChattyEngine(), settings=settings)
    world = replace(world, platform=platform)
    async with platform.orchestrator.session():
        await world.deploy_successfully()
        [instance] = await platform.orchestrator.list_instances()
        async with RunLogs(platform) as logs:
            logs.follow(instance)
            async with asyncio.timeout(30):
                while not (lines := await read_lines(platform, instance.workload_id, limit=100_000)) or not is_all(
                    lines
                ):
                    await logs.tell_what_was_left_out()
                    await asyncio.sleep(0.05)
                    lines = await read_lines(platform, instance.workload_id, limit=100_000)
    assert {line["level"] for line in lines if "left out" in line["message"]} == {"warning"}
    assert len(lines) < 5000


async def test_a_log_is_kept_within_its_bytes(world: World) -> None:
    settings = world.platform.settings.model_copy(update={"kept_log_bytes": 1024**2})
    platform = replace(world.platform, settings=settings)
    incompressible = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(5000))
    async with LogWriter(platform, "wl_1", project_id=world.project.id) as writer:
        for number in range(200):
            await writer.write(incompressible[number:])
    await trim_logs(platform)
    async with platform.database.transaction() as work:
        log = (await work.session.scalars(select(Log).where(Log.owner_id == "wl_1"))).one()
    assert 50 < log.last_sequence - log.first_sequence < 90
