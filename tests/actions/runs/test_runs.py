"""Runs of cron services on stand-ins: when they are due, how they end, and what they leave behind."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

import pytest
from sqlalchemy import func, select, update
from tests.actions.groups.stack import Stack
from tests.stand_ins import World, make_world, stand_in_platform

from towline.actions.health import check_all
from towline.actions.logs import follow_lines, read_lines
from towline.actions.platform import Platform
from towline.actions.reconcile import reconcile_all
from towline.actions.runs.attempt import RunAttempt, claim_next_run, release_run_leases
from towline.actions.runs.carrying_out import carry_out_run
from towline.actions.runs.due import ask_due_runs
from towline.actions.runs.history import forget_old_runs
from towline.actions.runs.requests import cancel_run, request_run
from towline.actions.scaling import start_workload, stop_workload
from towline.errors import Conflict
from towline.models.groups import Group
from towline.models.history import Event
from towline.models.projects import Environment, Project
from towline.models.runs import CronRun
from towline.models.services import Service, Workload

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAILY: dict[str, Any] = {"schedule": "30 12 * * *", "start_command": ["echo", "hello"]}


class Place(TypedDict):
    """Where a service is."""

    project: Project
    service: Service
    environment: Environment


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


async def test_two_conductors_ask_once_for_what_is_due(platform: Platform) -> None:
    world = await make_cron(platform)
    assert await ask_due_runs(platform, now=NOON + timedelta(minutes=29)) == 0
    at = NOON + timedelta(minutes=30, seconds=1)
    assert sum(await asyncio.gather(*(ask_due_runs(platform, now=at) for _ in range(4)))) == 1
    async with platform.database.transaction() as work:  # even one whose clock is behind
        await work.session.execute(update(Workload).values(next_run_at=NOON + timedelta(minutes=30)))
    assert await ask_due_runs(platform, now=at) == 0
    [run] = await runs(world)
    assert (run.status, run.trigger, run.scheduled_at) == ("queued", "schedule", NOON + timedelta(minutes=30))
    assert (await carry_out_next(world)).status == "success"
    assert (await world.get_workload()).next_run_at == NOON + timedelta(days=1, minutes=30)


async def test_a_run_that_is_due_while_one_goes_on_is_skipped(platform: Platform) -> None:
    world = await make_cron(platform)
    await run_now(world)
    assert await ask_due_runs(platform, now=NOON + timedelta(minutes=31)) == 1
    skipped = next(run for run in await runs(world) if run.trigger == "schedule")
    assert (skipped.status, skipped.error) == ("skipped", "The run before had not ended.")


async def test_missed_runs_are_made_up_for_once_and_not_too_late(platform: Platform) -> None:
    world = await make_cron(platform, schedule="*/10 * * * *")
    assert await ask_due_runs(platform, now=NOON + timedelta(hours=2, minutes=5)) == 1
    [run] = await runs(world)
    assert (run.status, run.scheduled_at) == ("queued", NOON + timedelta(hours=2))
    await carry_out_next(world)

    await world.change_service(run={**DAILY, "schedule": "0 3 * * *"})
    await world.deploy_successfully()
    night = datetime(2026, 6, 2, 3, 0, tzinfo=UTC)
    assert await ask_due_runs(platform, now=night - timedelta(hours=1)) == 0
    assert await ask_due_runs(platform, now=night + timedelta(minutes=90)) == 1
    late = (await runs(world))[-1]
    assert (late.status, late.scheduled_at) == ("skipped", night)
    assert "too late" in late.error


async def test_the_night_without_two_o_clock_has_its_run_and_the_one_with_two_of_them_only_one(
    platform: Platform,
) -> None:
    world = await make_cron(platform, schedule="30 2 * * *", time_zone="Europe/Berlin")
    for night in (datetime(2027, 3, 28, tzinfo=UTC), datetime(2027, 10, 31, tzinfo=UTC)):
        async with platform.database.transaction() as work:
            await work.session.execute(update(Workload).values(next_run_at=None, next_run_release_id=None))
        before = len(await runs(world))
        for minutes in range(0, 240, 5):
            if await ask_due_runs(platform, now=night + timedelta(minutes=minutes)):
                await carry_out_next(world)
        assert len(await runs(world)) == before + 1
    spring, autumn = await runs(world)
    assert spring.scheduled_at == datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    assert autumn.scheduled_at == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


async def test_a_failure_is_told_and_stands_for_the_health_until_a_run_succeeds(platform: Platform) -> None:
    world = await make_cron(platform, start_command=["false"])
    await run_now(world)
    run = await carry_out_next(world)
    assert (run.status, run.exit_code, run.error) == ("failed", 1, "The program ended with exit code 1.")
    workload = await world.get_workload()
    assert (workload.health, workload.health_error) == ("unhealthy", run.error)
    async with platform.database.transaction() as work:
        counted = select(Event.type, func.count()).where(Event.data["run"].astext == run.id).group_by(Event.type)
        told = sorted(tuple(row) for row in await work.session.execute(counted))
    assert told == [("run.failed", 1), ("run.finished", 1), ("run.started", 1)]
    await world.change_service(run=DAILY)
    await world.deploy_successfully()
    await run_now(world)
    assert (await carry_out_next(world)).status == "success"
    assert (await world.get_workload()).health == "healthy"


async def test_a_run_that_takes_too_long_fails(platform: Platform) -> None:
    world = await make_cron(platform, start_command=["sleep", "60"], timeout_seconds=0.05)
    await run_now(world)
    run = await carry_out_next(world)
    assert (run.status, run.exit_code) == ("failed", None)
    assert run.error == "The run took longer than its limit of 0.05 s and was stopped."


async def test_cancelling_ends_a_run_and_leaves_the_health_alone(platform: Platform) -> None:
    world = await make_cron(platform, start_command=["sleep", "60"])
    asked = await run_now(world)
    register: dict[str, RunAttempt] = {}
    running = asyncio.create_task(carry_out_next(world, register))
    async with asyncio.timeout(10):
        async for _ in follow_lines(platform, asked.id):
            break  # its first line says that it has begun
    async with platform.database.transaction() as work:
        await cancel_run(platform, work, asked.id)
    register[asked.id].nudge()
    run = await running
    assert (run.status, run.error) == ("cancelled", "The run was cancelled.")
    assert (await world.get_workload()).health == "healthy"


async def test_a_run_whose_worker_was_killed_ends_as_interrupted_and_is_not_begun_again(platform: Platform) -> None:
    world = await make_cron(platform)
    await run_now(world)
    lost = await claim_next_run(platform)
    assert lost is not None
    assert await claim_next_run(platform) is None
    await release_run_leases(platform, platform.worker_name)
    run = await carry_out_next(world)
    assert (run.status, run.attempt) == ("failed", 2)
    assert "interrupted" in run.error
    await carry_out_run(platform, lost, {})  # the one that was thought dead writes nothing any more
    assert (await runs(world))[-1].error == run.error


async def test_stopping_the_service_ends_its_runs_and_starts_none(platform: Platform) -> None:
    world = await make_cron(platform)
    await run_now(world)
    place = Place(project=world.project, service=world.service, environment=world.environment)
    async with platform.database.transaction() as work:
        await stop_workload(platform, work, **place)
    [run] = await runs(world)
    assert run.status == "cancelled"
    assert await ask_due_runs(platform, now=NOON + timedelta(minutes=31)) == 0
    async with platform.database.transaction() as work:
        await start_workload(platform, work, **place)
    await reconcile_all(platform)
    assert await ask_due_runs(platform, now=NOON + timedelta(minutes=31)) == 0
    assert await ask_due_runs(platform, now=NOON + timedelta(days=1, minutes=31)) == 1
    assert await platform.orchestrator.list_instances() == []


async def test_only_the_latest_runs_are_kept_with_their_logs(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    async with stand_in_platform(tmp_path, postgres_url=postgres_url, redis_url=redis_url, kept_runs=2) as platform:
        world = await make_cron(platform)
        made: list[CronRun] = []
        for _ in range(4):
            made.append(await run_now(world))
            await carry_out_next(world)
        await forget_old_runs(platform)
        assert [run.id for run in await runs(world)] == [run.id for run in made[2:]]
        assert [bool(await log_of(world, run)) for run in made] == [False, False, True, True]


async def test_a_cron_member_of_a_group_has_nothing_to_start_and_holds_nobody_up(
    platform: Platform,
) -> None:
    stack = Stack(await make_world(platform), {})
    stack.services["web"] = stack.world.service
    await stack.add("chore", type="cron", port=None, run=DAILY)
    await stack.depend("web", "chore")
    group = await stack.request({"web": "app:1", "chore": "app:1"})
    await stack.work()
    async with platform.database.transaction() as work:
        ended = (await work.session.scalars(select(Group).where(Group.id == group.id))).one()
    assert ended.status == "success", ended.error
    [instance] = await platform.orchestrator.list_instances()
    assert instance.workload_id == (await stack.world.get_workload()).id
    await reconcile_all(platform)
    await check_all(platform)
    assert len(await platform.orchestrator.list_instances()) == 1
    assert (await stack.world.get_workload()).health == "healthy"
