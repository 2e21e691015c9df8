"""The pool of connections: as many stay as were used at once of late."""

from contextlib import AsyncExitStack

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import Pool, QueuePool

from towline.infra.pool import ShrinkingPool


class ImpatientPool(ShrinkingPool):
    """One that looks at each return."""

    window_seconds = 0.0


class PatientPool(ShrinkingPool):
    """One that does not look while a test runs, however slowly."""

    window_seconds = 3600.0


def engine_with(url: str, pool: type[Pool]) -> AsyncEngine:
    return create_async_engine(url, poolclass=pool, pool_use_lifo=True, pool_size=5, max_overflow=2)


async def use_at_once(engine: AsyncEngine, count: int) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(count):
            connection = await stack.enter_async_context(engine.connect())
            await connection.execute(text("SELECT 1"))


def kept(engine: AsyncEngine) -> int:
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedin()


async def test_connections_that_were_used_at_once_are_kept_for_the_next_time(postgres_url: str) -> None:
    engine = engine_with(postgres_url, PatientPool)
    await use_at_once(engine, 5)
    await use_at_once(engine, 1)
    assert kept(engine) == 5
    await engine.dispose()


async def test_connections_that_are_not_needed_any_more_are_closed_but_for_two(postgres_url: str) -> None:
    engine = engine_with(postgres_url, ImpatientPool)
    await use_at_once(engine, 5)
    for _ in range(10):
        await use_at_once(engine, 1)
    assert kept(engine) == 2
    await engine.dispose()


async def test_a_pool_that_has_shrunk_grows_again_to_its_limit_and_not_beyond(postgres_url: str) -> None:
    engine = engine_with(postgres_url, ImpatientPool)
    for _ in range(3):
        await use_at_once(engine, 5)
        for _ in range(10):
            await use_at_once(engine, 1)
    await use_at_once(engine, 7)
    assert kept(engine) <= 5
    await engine.dispose()
