"""What a deployment changes: found before it switches and afterwards, settings and variables by name."""

from sqlalchemy import select
from tests.stand_ins import World

from towline.actions.release_changes import DeploymentChanges, find_changes
from towline.models.deployments import Deployment


async def changes_of(world: World, deployment: Deployment) -> DeploymentChanges:
    async with world.platform.database.transaction() as work:
        found = (await work.session.scalars(select(Deployment).where(Deployment.id == deployment.id))).one()
        return await find_changes(world.platform, work, found)


async def test_a_first_deployment_is_compared_with_nothing(world: World) -> None:
    found = await changes_of(world, await world.deploy_successfully())
    assert (found.before, found.settings, found.variables) == (None, (), ())
    assert found.after is not None


async def test_what_differs_from_the_release_before_is_told_for_good(world: World) -> None:
    await world.deploy_successfully()
    await world.change_service(run={"start_command": ["serve", "--fast"]}, port=8080)
    second = await world.deploy_successfully("app:2")
    await world.deploy_successfully("app:3")
    found = await changes_of(world, second)
    assert (found.before and found.before.number, found.after and found.after.number) == (1, 2)
    assert [(one.name, one.before, one.after) for one in found.settings] == [
        ("start_command", "", '["serve","--fast"]')
    ]


async def test_what_waits_is_compared_with_what_serves(world: World) -> None:
    await world.deploy_successfully()
    found = await changes_of(world, await world.request("app:2"))
    assert (found.before and found.before.number, found.after) == (1, None)
