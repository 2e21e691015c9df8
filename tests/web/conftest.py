"""The HTTP door on a stand-in platform, and people to send through it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.stand_ins import stand_in_platform
from tests.web.door import Door, open_door

from towline.actions.platform import Platform


@pytest.fixture
async def platform(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[Platform]:
    """A platform of this test's own."""
    async with stand_in_platform(tmp_path, postgres_url=postgres_url, redis_url=redis_url) as platform:
        yield platform


@pytest.fixture
async def door(platform: Platform) -> AsyncIterator[Door]:
    """The application of that platform, called without a network."""
    async with open_door(platform) as door:
        yield door
