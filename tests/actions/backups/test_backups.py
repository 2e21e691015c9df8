"""Dumps, restores, snapshots and their rules, on the stand-in engine with real rows and files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from tests.stand_ins import World, make_world, stand_in_platform

from towline.actions.access import Caller
from towline.actions.backups.before import keep_volumes
from towline.actions.backups.keeping import choose_old
from towline.actions.backups.requests import get_backup, request_dump, request_snapshot
from towline.actions.backups.subjects import Subject, lock_subject
from towline.actions.backups.taking import carry_out_backup
from towline.actions.configuration.places import Place
from towline.actions.configuration.settings import WantedVariable, list_variables, reveal, set_variables
from towline.actions.environments import add_environment
from towline.actions.reconcile import reconcile_workload
from towline.actions.restores.carrying_out import carry_out_restore
from towline.actions.restores.errands import ask_due_dumps, claim_backups, claim_restores, recover
from towline.actions.restores.requests import WantedRestore, request_copy, request_restore, request_volume_restore
from towline.actions.settings import volume_name
from towline.errors import Conflict, InvalidInput
from towline.infra.database import Work
from towline.models.backups import Backup, Restore
from towline.models.base import utc_now
from towline.models.services import Service
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.values import EnvironmentKind

BACKUP = {"command": ["yes-bytes", "3000000"], "restore_command": ["swallow"], "check_command": ["true"]}
SOURCE = {"image": "app:process"}
RUN = {"backup": BACKUP, "volumes": [{"name": "data", "path": "/data"}]}


@pytest.fixture
async def world(data_folder_base: Path, tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[World]:
    """A database that runs."""
    async with stand_in_platform(tmp_path, postgres_url=postgres_url, redis_url=redis_url) as platform:
        world = await make_world(platform, type="database", source_config=SOURCE, run=RUN)
        await world.deploy_successfully("app:process")
        yield world


def _engine(world: World) -> MemoryOrchestrator:
    assert isinstance(world.platform.orchestrator, MemoryOrchestrator)
    return world.platform.orchestrator


async def _subject(world: World, work: Work) -> Subject:
    service = await work.session.get_one(Service, world.service.id)
    return await lock_subject(work, project=world.project, service=service, environment="production")


async def _dump(world: World) -> Backup:
    async with world.platform.database.transaction() as work:
        await request_dump(world.platform, work, await _subject(world, work))
    (claimed,) = await claim_backups(world.platform, 5)
    return await carry_out_backup(world.platform, claimed)


async def _snapshot(world: World) -> Backup:
    async with world.platform.database.transaction() as work:
        await request_snapshot(world.platform, work, await _subject(world, work), "data")
    (claimed,) = await claim_backups(world.platform, 5)
    return await carry_out_backup(world.platform, claimed)


async def _reload(world: World, backup: Backup) -> Backup:
    async with world.platform.database.transaction() as work:
        return await get_backup(work, world.project.id, backup.id)


async def test_a_dump_is_restored_into_a_new_service_with_its_variables(world: World) -> None:
    platform, caller = world.platform, Caller(world.user.id)
    own = [
        WantedVariable("PASSWORD", "s3cret", is_secret=True),
        WantedVariable("URL", "db://${{ services.web.host }}/${{ project.name }}", is_secret=False),
    ]
    async with platform.database.transaction() as work:
        await set_variables(platform, work, Place(world.project, world.service), own, caller=caller)
    dump = await _dump(world)
    assert (dump.status, dump.size) == ("success", 3_000_000), dump.error
    assert dump.stored_size < 10_000
    async with platform.database.transaction() as work:
        wanted = WantedRestore("again")
        await request_restore(platform, work, world.project, dump, wanted=wanted, caller=caller)
    (restore,) = await claim_restores(platform, 5)
    restoring = asyncio.create_task(carry_out_restore(platform, restore))
    await world.run_next()
    await restoring
    assert len(_engine(world).fed[restore.workload_id]) == 3_000_000
    async with platform.database.transaction() as work:
        ended = await work.session.get_one(Restore, restore.id)
        assert (ended.status, ended.error) == ("success", "")
        service = await work.session.get_one(Service, restore.service_id)
        rows = await list_variables(work, Place(world.project, service), environment=None)
        values = {row.name: (reveal(platform, row), row.is_secret) for row in rows}
    assert values["PASSWORD"] == ("s3cret", True)
    assert values["URL"] == ("db://${{ services.again.host }}/${{ project.name }}", False)


async def test_a_test_restore_is_remembered_and_leaves_no_service(world: World) -> None:
    platform = world.platform
    dump = await _dump(world)
    for command, status in (([], "success"), (["false"], "failed")):
        async with platform.database.transaction() as work:
            kept = await get_backup(work, world.project.id, dump.id)
            wanted = WantedRestore(is_test=True, check_command=command)
            await request_restore(platform, work, world.project, kept, wanted=wanted, caller=Caller(world.user.id))
        (restore,) = await claim_restores(platform, 5)
        restoring = asyncio.create_task(carry_out_restore(platform, restore))
        await world.run_next()
        await restoring
        tested = await _reload(world, dump)
        assert tested.test_status == status, tested.test_error
        async with platform.database.transaction() as work:
            assert (await work.session.get_one(Service, restore.service_id)).deleted_at is not None


async def test_a_dump_that_fails_or_is_empty_says_why_and_keeps_nothing(world: World) -> None:
    for command, reason in ((["false"], "exit code 1"), (["true"], "is empty")):
        await world.change_service(run={**RUN, "backup": {"command": command}})
        dump = await _dump(world)
        assert dump.status == "failed"
        assert reason in dump.error
    async with world.platform.database.transaction() as work:
        with pytest.raises(Conflict):
            await request_restore(
                world.platform, work, world.project, dump, wanted=WantedRestore(), caller=Caller(world.user.id)
            )
    await world.change_service(run={})
    async with world.platform.database.transaction() as work:
        with pytest.raises(InvalidInput):
            await request_dump(world.platform, work, await _subject(world, work))


async def test_a_volume_goes_back_to_a_snapshot_and_what_was_is_kept(world: World) -> None:
    platform, engine = world.platform, _engine(world)
    name = volume_name((await world.get_workload()).id, "data")
    engine.volumes[name] = b"before"
    snapshot = await _snapshot(world)
    engine.volumes[name] = b"after"
    async with platform.database.transaction() as work:
        subject, caller = await _subject(world, work), Caller(world.user.id)
        await request_volume_restore(platform, work, subject, volume="data", snapshot=snapshot, caller=caller)
    (restore,) = await claim_restores(platform, 5)
    restoring = asyncio.create_task(carry_out_restore(platform, restore))
    await reconcile_workload(platform, restore.workload_id)
    await restoring
    assert engine.volumes[name] == b"before"
    assert (await world.get_workload()).wanted == "running"
    async with platform.database.transaction() as work:
        assert (await work.session.get_one(Restore, restore.id)).status == "success"
        kept = (await work.session.scalars(select(Backup).where(Backup.trigger == "restore"))).one()
    async with aclosing(platform.dumps.read(kept.id)) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"after"


async def test_a_volume_is_copied_into_another_environment_and_nothing_else_is_left(world: World) -> None:
    platform, engine, caller = world.platform, _engine(world), Caller(world.user.id)
    engine.volumes[volume_name((await world.get_workload()).id, "data")] = b"rows"
    async with platform.database.transaction() as work:
        await add_environment(work, world.project.id, "staging", kind=EnvironmentKind.STAGING)
        source = await _subject(world, work)
        target = await lock_subject(work, project=world.project, service=source.service, environment="staging")
        with pytest.raises(InvalidInput):
            await request_copy(platform, work, source, volume="data", target=source, caller=caller)
        await request_copy(platform, work, source, volume="data", target=target, caller=caller)
        with pytest.raises(Conflict):
            await request_copy(platform, work, source, volume="data", target=target, caller=caller)
    (restore,), (snapshot, *_) = await claim_restores(platform, 5), await claim_backups(platform, 5)
    restoring = asyncio.create_task(carry_out_restore(platform, restore))
    await carry_out_backup(platform, snapshot)
    await restoring
    assert engine.volumes[volume_name(target.workload.id, "data")] == b"rows"
    async with platform.database.transaction() as work:
        ended = await work.session.get_one(Restore, restore.id)
        assert (ended.status, ended.error, ended.backup_id) == ("success", "", None)
        assert snapshot.id not in set(await work.session.scalars(select(Backup.id)))


async def test_volumes_are_kept_before_a_new_version_where_that_is_wanted(world: World) -> None:
    name = volume_name((await world.get_workload()).id, "data")
    _engine(world).volumes[name] = b"precious"
    assert await keep_volumes(world.platform, (await world.get_workload()).id) == []
    await world.change_service(run={**RUN, "backup": {**BACKUP, "snapshot": True, "keep": {"number": 2}}})
    for version in range(2, 6):
        await world.deploy_successfully(f"app:process{version}")
    async with world.platform.database.transaction() as work:
        kept = (await work.session.scalars(select(Backup).where(Backup.trigger == "deployment"))).all()
    assert [(backup.status, backup.size) for backup in kept] == [("success", 8)] * 2


async def test_a_due_dump_is_asked_for_once_and_what_was_interrupted_begins_again(world: World) -> None:
    platform = world.platform
    await world.change_service(run={**RUN, "backup": {**BACKUP, "schedule": "* * * * *"}})
    async with platform.database.transaction() as work:
        long_ago = utc_now() - timedelta(hours=1)
        await work.session.execute(update(Service).where(Service.id == world.service.id).values(updated_at=long_ago))
    for _ in range(2):
        await ask_due_dumps(platform)
    (dump,) = await claim_backups(platform, 5)
    await ask_due_dumps(platform)
    assert await claim_backups(platform, 5) == []
    for attempt in (2, 3):
        await recover(platform)
        (dump,) = await claim_backups(platform, 5)
        assert dump.attempt == attempt
    await recover(platform)
    ended = await _reload(world, dump)
    assert (ended.status, ended.error) == ("failed", "Towline was interrupted while it was taken.")


def test_old_backups_go_by_number_and_days_but_never_the_newest() -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    times = [now - timedelta(days=day) for day in range(10)]
    assert list(choose_old(times, number=3, days=None, now=now)) == [3, 4, 5, 6, 7, 8, 9]
    assert list(choose_old(times, number=None, days=4, now=now)) == [5, 6, 7, 8, 9]
    assert list(choose_old(times, number=4, days=1, now=now)) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert list(choose_old(times, number=None, days=None, now=now)) == [7, 8, 9]
    assert list(choose_old([now - timedelta(days=99)], number=1, days=1, now=now)) == []
