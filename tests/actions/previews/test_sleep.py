"""Previews fall asleep, are guarded and live longer as the project's rules and their visitors say."""

from datetime import timedelta

from tests.actions.groups.stack import Stack
from tests.actions.previews.scene import Scene

from towline.actions.previews.settings import change_preview, set_rules, wake_preview
from towline.actions.sleeping.activity import Activity, note_asked
from towline.contract.previews import PreviewRules
from towline.models.base import utc_now
from towline.models.previews import Preview
from towline.models.projects import Project

RULES = PreviewRules(sleeps_after_seconds=600, protection="sign_in")


async def _set_rules(stack: Stack) -> None:
    async with stack.platform.database.transaction() as work:
        project = await work.session.get_one(Project, stack.world.project.id)
        await set_rules(stack.platform, work, project, RULES.model_dump())


async def test_a_preview_sleeps_and_is_guarded_as_the_rules_say_until_it_says_otherwise(stack: Stack) -> None:
    await _set_rules(stack)
    scene = Scene(stack)
    preview = await scene.create()
    environment = await scene.environment(preview)
    assert (environment.sleeps_after, environment.protection) == (600, "sign_in")
    assert all(route.is_guarded for route in scene.routes(environment.id).values() if not route.internal_from)
    activity = Activity(stack.platform)
    await activity.look()
    await activity.look(now=utc_now() + timedelta(seconds=601))
    assert (await scene.environment(preview)).sleep == "asleep"
    async with stack.platform.database.transaction() as work:
        await wake_preview(stack.platform, work, await work.session.get_one(Preview, preview.id))
    assert (await scene.environment(preview)).sleep == "waking"
    async with stack.platform.database.transaction() as work:
        changes = {"sleeps_after_seconds": None, "protection": "none"}
        await change_preview(stack.platform, work, await work.session.get_one(Preview, preview.id), changes)
    environment = await scene.environment(preview)
    assert (environment.sleeps_after, environment.protection) == (None, "none")
    assert not any(route.is_guarded for route in scene.routes(environment.id).values())


async def test_a_visit_lets_the_lifetime_begin_anew(stack: Stack) -> None:
    scene = Scene(stack)
    preview = await scene.create(lifetime=3600)
    later = utc_now() + timedelta(minutes=30)
    async with stack.platform.database.transaction() as work:
        await note_asked(work, [preview.environment_id], now=later)
    found = await scene.find(preview)
    assert found is not None
    assert (found.last_active_at, found.expires_at) == (later, later + timedelta(hours=1))
