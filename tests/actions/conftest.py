"""A world of one service on a platform with stand-ins for engine and router."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.stand_ins import World, make_world, stand_in_platform

from towline.actions.platform import Platform


@pytest.fixture
async def platform(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncGenerator[Platform]:
    """A platform of this test's own."""
    async with stand_in_platform(tmp_path, postgres_url=postgres_url, redis_url=redis_url) as platform:
        yield platform


@pytest.fixture
async def world(platform: Platform) -> World:
    """A project `shop` with the service `web`."""
    return await make_world(platform)
