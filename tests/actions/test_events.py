"""Events: told with the fact, numbered in commit order, published once."""

import asyncio

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.stand_ins import World

from towline.actions.events import CHANNEL, emit, list_events, relay_once


async def test_events_of_a_deployment_tell_its_way_in_the_founding_shape(world: World) -> None:
    await world.deploy_successfully()
    await relay_once(world.platform)
    events = await list_events(world.platform, after=0)
    types = [event.type for event in events if event.deployment_id]

    assert types[0] == "deployment.progress"
    assert types[1] == "deployment.started"
    assert types[-1] == "deployment.completed"
    progress = [event.data["progress"] for event in events if event.deployment_id]
    assert progress == sorted(progress)
    assert [event.sequence for event in events] == sorted(event.sequence or 0 for event in events)


async def test_a_failure_carries_its_reason(world: World) -> None:
    await world.deploy("missing:1")
    await relay_once(world.platform)
    last = (await list_events(world.platform, after=0))[-1]

    assert last.type == "deployment.failed"
    assert "missing:1" in last.data["error"]
    assert last.data["status"] == "failed"


async def emit_and_fail(world: World) -> None:
    async with world.platform.database.transaction() as work:
        emit(world.platform, work, "project.updated", project_id=world.project.id)
        await work.session.execute(text("SELECT 1 / 0"))


async def test_an_event_is_published_only_with_its_transaction(world: World) -> None:
    async with world.platform.streams.subscribe(CHANNEL) as subscription:
        with pytest.raises(DBAPIError):
            await emit_and_fail(world)
        async with world.platform.database.transaction() as work:
            emit(world.platform, work, "project.created", project_id=world.project.id)
        assert await relay_once(world.platform) == 1
        message = await asyncio.wait_for(subscription.get(timeout=5), 6)

    assert message is not None
    payload = orjson.loads(message)
    assert payload["type"] == "project.created"
    assert payload["projectId"] == world.project.id
    assert payload["sequence"] >= 1
    assert await relay_once(world.platform) == 0
