"""A stack that serves in production, and previews of it."""

import pytest
from tests.actions.groups.stack import Stack
from tests.stand_ins import World


@pytest.fixture
async def stack(world: World) -> Stack:
    """`web` → `api` → `store`, which has a volume and is no web service; all of them made of images."""
    image = {"image": "app:1"}
    await world.change_service(source_config=image)
    stack = Stack(world, {"web": world.service})
    volumes = {"volumes": [{"name": "data", "path": "/data"}]}
    await stack.add("store", type="worker", port=None, source_config=image, run=volumes)
    await stack.add("api", "store", source_config=image)
    await stack.depend("web", "api")
    return stack
