"""Removal: whatever a preview made goes with it, also when a process dies in the middle."""

from datetime import timedelta

from sqlalchemy import func, select, update
from tests.actions.groups.stack import Stack
from tests.actions.previews.scene import Scene

from towline.actions.configuration.places import Place
from towline.actions.configuration.settings import WantedVariable, set_variables
from towline.actions.deletion import delete_environment
from towline.actions.previews.keeping import look_after_previews
from towline.models.backups import Restore
from towline.models.base import utc_now
from towline.models.history import Log
from towline.models.previews import Preview
from towline.models.projects import Environment, Project
from towline.models.tables import all_tables


async def _count_rows(stack: Stack) -> dict[str, int]:
    async with stack.platform.database.transaction() as work:
        return {
            table.name: await work.session.scalar(select(func.count()).select_from(table)) or 0
            for table in all_tables().sorted_tables
            if table.name != "events"
        }


async def test_a_removed_preview_leaves_nothing(stack: Stack) -> None:
    engine, router, scene = stack.platform.orchestrator, stack.platform.router, Scene(stack)
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    before = await _count_rows(stack)
    networks, instances = await engine.list_networks(), await engine.list_instances()
    preview = await scene.create()
    environment = await scene.environment(preview)
    async with stack.platform.database.transaction() as work:
        place = Place(await work.session.get_one(Project, preview.project_id), environment=environment, is_preview=True)
        secret = WantedVariable("TOKEN", "s3cret", is_secret=True)
        await set_variables(stack.platform, work, place, [secret], caller=stack.caller)
    assert len(await engine.list_instances()) == len(instances) + 3
    assert preview.environment_id in await router.list_owners()

    await scene.remove(preview)
    await scene.settle()

    assert await scene.find(preview) is None
    assert await _count_rows(stack) == before
    assert await engine.list_networks() == networks
    assert {item.id for item in await engine.list_instances()} == {item.id for item in instances}
    assert preview.environment_id not in await router.list_owners()


async def test_nothing_is_forgotten_before_it_is_gone(stack: Stack) -> None:
    scene = Scene(stack)
    preview = await scene.create()
    await scene.remove(preview)

    await look_after_previews(stack.platform)

    found = await scene.find(preview)
    assert found is not None
    assert found.state == "removing"
    await scene.settle()
    assert await scene.find(preview) is None


async def test_deleting_the_environment_removes_the_preview_too(stack: Stack) -> None:
    scene = Scene(stack)
    preview = await scene.create()
    async with stack.platform.database.transaction() as work:
        environment = await work.session.get_one(Environment, preview.environment_id)
        await delete_environment(stack.platform, work, environment)
    await scene.settle()
    assert await scene.find(preview) is None
    async with stack.platform.database.transaction() as work:
        assert await work.session.get(Environment, preview.environment_id) is None


async def test_a_preview_goes_when_its_time_is_over_and_use_makes_it_longer(stack: Stack) -> None:
    scene = Scene(stack)
    old, used = await scene.create("old"), await scene.create("used")
    async with stack.platform.database.transaction() as work:
        mine = update(Preview).where(Preview.id == old.id)
        await work.session.execute(mine.values(expires_at=utc_now() - timedelta(seconds=1)))
    await look_after_previews(stack.platform)

    found = await scene.find(old)
    assert found is not None
    assert (found.state, found.removal_reason) == ("removing", "Nobody used it for its lifetime.")
    await scene.settle()
    assert await scene.find(old) is None
    assert await scene.find(used) is not None


async def test_a_lowered_cap_takes_the_least_recently_used_but_no_protected_one(stack: Stack) -> None:
    scene = Scene(stack)
    kept = await scene.create("kept", is_protected_from_cap=True)
    old, new = await scene.create("old"), await scene.create("new")
    async with stack.platform.database.transaction() as work:
        rules = {"cap": 2}
        await work.session.execute(update(Project).values(preview_rules=rules))
    await look_after_previews(stack.platform)
    states = [found.state for one in (kept, old, new) if (found := await scene.find(one)) is not None]
    assert states == ["active", "removing", "active"]


async def test_logs_of_what_remains_remain(stack: Stack) -> None:
    scene = Scene(stack)
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    async with stack.platform.database.transaction() as work:
        before = set(await work.session.scalars(select(Log.owner_id)))
    preview = await scene.create()
    await scene.remove(preview)
    await scene.settle()
    async with stack.platform.database.transaction() as work:
        assert set(await work.session.scalars(select(Log.owner_id))) == before


async def test_data_is_copied_once_the_preview_runs(stack: Stack) -> None:
    scene = Scene(stack)
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    preview = await scene.create(copies=[stack.services["store"].id])
    for _ in range(2):
        await look_after_previews(stack.platform)
    async with stack.platform.database.transaction() as work:
        copies = (await work.session.scalars(select(Restore))).all()
    assert [(one.environment_id, one.volume, one.kind) for one in copies] == [
        (preview.environment_id, "data", "volume")
    ]
