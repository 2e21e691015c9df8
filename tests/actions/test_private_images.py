"""Images that came with a project's credential: no other project gets at the copy on this machine."""

import pytest
from sqlalchemy import select
from tests.stand_ins import World, make_world

from towline.actions.private_images import forget_removed_images, pull_for_project
from towline.actions.registries import create_registry
from towline.errors import ImageNotFound
from towline.models.private_images import PrivateImage
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.values import Image

NAME = "registry.test/private/app:1"


async def pull(world: World, reference: str = NAME) -> Image:
    async def report(line: str) -> None:
        del line

    return await pull_for_project(
        world.platform,
        project_id=world.project.id,
        reference=reference,
        repository=f"towline-test/{world.project.name}",
        report=report,
    )


def engine(world: World) -> MemoryOrchestrator:
    """The stand-in, whose images have their names for ids."""
    assert isinstance(world.platform.orchestrator, MemoryOrchestrator)
    return world.platform.orchestrator


async def store_credential(world: World) -> None:
    async with world.platform.database.transaction() as work:
        await create_registry(
            world.platform, work, project_id=world.project.id, host="registry.test", username="ann", password="geheim"
        )


async def list_rows(world: World) -> list[tuple[str, str]]:
    async with world.platform.database.transaction() as work:
        rows = await work.session.scalars(select(PrivateImage).order_by(PrivateImage.pulled_at))
        return [(row.project_id, row.reference) for row in rows]


async def test_a_copy_that_came_with_a_credential_is_for_those_the_registry_lets_in(world: World) -> None:
    other = await make_world(world.platform, name="other")
    await store_credential(world)
    image = await pull(world)
    with pytest.raises(ImageNotFound):
        await world.platform.orchestrator.get_image(NAME)  # what a FROM would find

    for name in (NAME, NAME.replace(":1", f"@{image.digest}")):
        with pytest.raises(ImageNotFound):
            await pull(other, name)

    await store_credential(other)
    assert await pull(other) == await pull(world)
    assert sorted(await list_rows(world)) == sorted([(world.project.id, NAME), (other.project.id, NAME)])


async def test_a_copy_stays_hidden_after_the_name_came_back(world: World) -> None:
    other = await make_world(world.platform, name="other")
    await store_credential(world)
    await pull(world)
    engine(world).add_image(NAME)

    with pytest.raises(ImageNotFound):
        await pull(other)


async def test_an_image_everybody_may_have_stays_as_it_is(world: World) -> None:
    other = await make_world(world.platform, name="other")
    await pull(world, "nginx:1")
    await store_credential(other)

    assert await pull(other, "nginx:1") == await world.platform.orchestrator.get_image("nginx:1")
    assert await list_rows(world) == []


async def test_the_rows_go_with_the_copy(world: World) -> None:
    await store_credential(world)
    await pull(world)
    engine(world).add_image(NAME)
    await forget_removed_images(world.platform)
    assert len(await list_rows(world)) == 1

    await engine(world).remove_image(NAME)
    await forget_removed_images(world.platform)

    assert await list_rows(world) == []
