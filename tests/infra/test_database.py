"""The database: locks end with their connection, and lost connections are named."""

import asyncio

import pytest
from sqlalchemy import text

from towline.errors import Unavailable
from towline.infra.database import AfterCommit, Database


async def kill_others(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
            )
        )


async def lose_lock(database: Database, other: Database) -> None:
    async with database.advisory_lock(1) as connection:
        assert connection is not None
        await kill_others(other)
        await connection.execute(text("SELECT 1"))


async def send_and_fail(database: Database, send: AfterCommit) -> None:
    async with database.transaction() as work:
        work.after_commit(send)
        raise RuntimeError


async def test_a_lock_is_held_by_one_and_free_again_afterwards(postgres_url: str) -> None:
    database = Database(postgres_url)
    async with database.advisory_lock("one") as mine, database.advisory_lock("one") as again:
        assert mine is not None
        assert again is None
    async with database.advisory_lock("one") as later:
        assert later is not None
    await database.close()


async def test_a_lock_whose_connection_was_lost_is_free_and_said_to_be_lost(postgres_url: str) -> None:
    database, other = Database(postgres_url), Database(postgres_url)
    with pytest.raises(Unavailable):
        await lose_lock(database, other)
    async with other.advisory_lock(1) as lock:
        assert lock is not None
    await database.close()
    await other.close()


async def test_what_was_to_be_sent_is_not_sent_when_the_transaction_fails(postgres_url: str) -> None:
    database, sent = Database(postgres_url), list[str]()

    async def send() -> None:
        sent.append("x")

    with pytest.raises(RuntimeError):
        await send_and_fail(database, send)
    assert sent == []
    async with database.transaction() as work:
        work.after_commit(send)
        assert sent == []
    assert sent == ["x"]
    await database.close()


async def test_transactions_in_each_other_s_way_may_be_tried_again(postgres_url: str) -> None:
    database = Database(postgres_url)
    both_hold_one = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with database.transaction() as work:
            await work.session.execute(text(f"SELECT pg_advisory_xact_lock({first})"))
            await both_hold_one.wait()
            await work.session.execute(text(f"SELECT pg_advisory_xact_lock({second})"))

    outcomes = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    [collision] = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(collision, Unavailable)
    assert collision.retryable
    assert "again" in collision.hint
    await database.close()
