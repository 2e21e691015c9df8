"""Fast reads: lost connections are replaced, and none is left open."""

import asyncio
import gc
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Integer, literal, select
from tests.infra.test_database import kill_others

from towline.errors import Unavailable
from towline.infra.database import Database
from towline.infra.reads import Read

_ONE = Read(select(literal(1, Integer).label("one")))


async def fill_pool(database: Database, connections: int) -> None:
    async with asyncio.TaskGroup() as readers:
        for _ in range(connections):
            readers.create_task(_ONE.fetch(database))


async def test_a_read_goes_on_after_every_connection_was_lost(postgres_url: str) -> None:
    database, other = Database(postgres_url), Database(postgres_url)
    await fill_pool(database, 4)
    await kill_others(other)
    for _ in range(8):
        [row] = await _ONE.fetch(database)
        assert row["one"] == 1
    await database.close()
    await other.close()


@pytest.mark.parametrize(
    "error", [asyncpg.InternalClientError, asyncpg.AdminShutdownError, asyncpg.InterfaceError, OSError]
)
async def test_a_read_that_fails_is_sent_again_by_a_fresh_connection(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    database, connections = Database(postgres_url), list[object]()
    fetch = vars(asyncpg.Connection)["fetch"]

    async def fail_first(self: Any, query: str, *values: Any) -> Any:
        connections.append(self)
        if len(connections) == 1:
            raise error("lost")
        return await fetch(self, query, *values)

    await fill_pool(database, 4)
    monkeypatch.setattr(asyncpg.Connection, "fetch", fail_first)
    [row] = await _ONE.fetch(database)
    assert row["one"] == 1
    first, second = connections
    assert first is not second
    await database.close()
    del first, second
    connections.clear()
    gc.collect()  # a connection left open would be told here, and fail this test


async def test_a_read_that_fails_twice_says_that_the_database_is_unavailable(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgres_url)

    async def fail(self: object, query: str, *values: object) -> object:
        raise asyncpg.InternalClientError("lost")

    monkeypatch.setattr(asyncpg.Connection, "fetch", fail)
    with pytest.raises(Unavailable):
        await _ONE.fetch(database)
    await database.close()


async def test_a_transaction_whose_connection_is_about_to_end_says_unavailable(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgres_url)

    def fail() -> None:
        raise asyncpg.InternalClientError("lost")

    async def begin() -> None:
        async with database.transaction() as work:
            await work.session.connection()
            fail()

    with pytest.raises(Unavailable):
        await begin()
    await database.close()
