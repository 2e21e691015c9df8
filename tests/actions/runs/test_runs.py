"""Runs of cron services on stand-ins: when they are due, how they end, and what they leave behind."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from tests.stand_ins import World, make_world

from towline.actions.logs import read_lines
from towline.actions.platform import Platform
from towline.actions.runs.attempt import RunAttempt, claim_next_run
from towline.actions.runs.carrying_out import carry_out_run
from towline.actions.runs.due import ask_due_runs
from towline.actions.runs.requests import request_run
from towline.errors import Conflict
from towline.models.runs import CronRun

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAILY: dict[str, Any] = {"schedule": "30 12 * * *", "start_command": ["echo", "hello"]}


async def make_cron(platform: Platform, **run: Any) -> World:
    """A deployed cron service, its schedule looked at by the conductor at noon."""
    world = await make_world(platform, type="cron", port=None, run={**DAILY, **run})
    await world.deploy_successfully()
    assert await ask_due_runs(platform, now=NOON) == 0
    return world


async def run_now(world: World) -> CronRun:
    async with world.platform.database.transaction() as work:
        return await request_run(
            world.platform,
            work,
            project=world.project,
            service=world.service,
            environment="production",
            requested_by=world.user.id,
        )


async def runs(world: World) -> Sequence[CronRun]:
    async with world.platform.database.transaction() as work:
        query = select(CronRun).where(CronRun.service_id == world.service.id).order_by(CronRun.scheduled_at)
        return (await work.session.scalars(query)).all()


async def carry_out_next(world: World, register: "dict[str, RunAttempt] | None" = None) -> CronRun:
    run = await claim_next_run(world.platform)
    assert run is not None
    await carry_out_run(world.platform, run, {} if register is None else register)
    return (await runs(world))[-1]


async def log_of(world: World, run: CronRun) -> list[str]:
    return [line["message"] for line in await read_lines(world.platform, run.id)]


async def test_a_cron_service_starts_nothing_when_deployed_and_runs_when_asked(platform: Platform) -> None:
    world = await make_cron(platform)
    assert await platform.orchestrator.list_instances() == []
    assert (await world.get_workload()).health == "healthy"
    queued = await run_now(world)
    with pytest.raises(Conflict, match="has not ended"):
        await run_now(world)
    run = await carry_out_next(world)
    assert (run.id, run.status, run.exit_code, run.trigger) == (queued.id, "success", 0, "manual")
    assert await log_of(world, run) == ["Run of release 1.", "hello", "Done."]
    assert await claim_next_run(platform) is None
