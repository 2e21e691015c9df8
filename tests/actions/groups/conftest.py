"""A stack of services that need each other: web needs api, api needs store."""

import pytest
from tests.actions.groups.stack import Stack
from tests.stand_ins import World


@pytest.fixture
async def stack(world: World) -> Stack:
    """`web` → `api` → `store`, nothing deployed."""
    stack = Stack(world, {"web": world.service})
    await stack.add("store")
    await stack.add("api", "store")
    await stack.depend("web", "api")
    return stack
