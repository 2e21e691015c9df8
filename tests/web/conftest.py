"""The HTTP door on a stand-in platform, and people to send through it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from tests.conftest import Servers, empty_redis
from tests.stand_ins import stand_in_platform
from tests.web.crowd import Crowd, gather
from tests.web.door import Door, open_door
from tests.web.heard import Heard, serve_heard

from towline.actions.platform import Platform
from towline.infra.database import Database


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


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    """A server in the place of a git platform's API."""
    async with serve_heard() as heard:
        yield heard


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def crowd(tmp_path_factory: pytest.TempPathFactory, migrated_servers: Servers) -> AsyncIterator[Crowd]:
    """Everyone before one door, in a database with a single connection, so that every try can be undone."""
    folder: Path = tmp_path_factory.mktemp("door")
    url = migrated_servers.create("doors")
    async with stand_in_platform(folder, postgres_url=url, redis_url=empty_redis(migrated_servers)) as platform:
        database = Database(url, pool_size=1, max_overflow=0)
        async with open_door(replace(platform, database=database)) as door:
            yield await gather(door)
        await database.close()
