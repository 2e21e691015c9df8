"""PostgreSQL: the engine, one transaction as a unit of work, and what to send once it is committed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import orjson
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from towline.errors import DiskFull, Unavailable
from towline.infra.pool import ShrinkingPool

DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises: InternalClientError when the server has said that it ends and the connection is still there."""

AfterCommit = Callable[[], Awaitable[None]]

_PASSING = ("08", "57P", "53300")
"""SQLSTATEs of a server that goes, comes or is full: connection lost, operator intervention, too many connections."""

_DISK_FULL = "53100"
_COLLISIONS = frozenset({"40P01", "40001", "55P03"})
"""SQLSTATEs of transactions that were in each other's way: deadlock, serialisation failure, lock not to be had."""
_LOCK_NUMBER = text("SELECT hashtextextended(:key, 11)")
_TRY_LOCK = text("SELECT pg_try_advisory_lock(:number)")
_UNLOCK = text("SELECT pg_advisory_unlock(:number)")


@dataclass
class Work:
    """One transaction: a session, and what to send after it is committed (never before, never without)."""

    session: AsyncSession
    is_reading: bool = False
    """Whether it only reads, each statement for itself."""
    _after_commit: list[AfterCommit] = field(default_factory=list[AfterCommit])
    _driver: Any = None

    def after_commit(self, send: AfterCommit) -> None:
        """Remember something to send once the transaction is committed."""
        self._after_commit.append(send)

    async def find_driver(self) -> Any:
        """Asyncpg's own connection, for statements that only read; None within a transaction."""
        if self._driver is None and self.is_reading:
            connection = await self.session.connection()
            self._driver = (await connection.get_raw_connection()).driver_connection
        return self._driver

    async def send_all(self) -> None:
        """Send what was remembered, in order."""
        for send in self._after_commit:
            await send()


class Database:
    """The connection pool of one process. Lost connections surface as Unavailable, a full disk as DiskFull."""

    def __init__(self, url: str, *, pool_size: int = 5, max_overflow: int = 10) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            poolclass=ShrinkingPool,
            pool_use_lifo=True,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=10,
            pool_pre_ping=False,
            json_serializer=_to_json,
            json_deserializer=orjson.loads,
            connect_args={"timeout": 5, "server_settings": {"application_name": "towline"}},
        )
        self.read_slots = asyncio.Semaphore(pool_size)
        """Bounds the reads at once to the kept connections: one beyond them is opened and closed for each read."""
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=True)
        single = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reads = async_sessionmaker(single, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Work]:
        """One transaction: committed on leaving, rolled back on an error; then what `Work` remembered is sent."""
        with _lost_connections_named():
            async with self._sessions() as session, session.begin():
                work = Work(session)
                yield work
        await work.send_all()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Work]:
        """Statements that each stand for themselves, as in READ COMMITTED, without waiting for BEGIN and COMMIT.

        For reads: RuntimeError when the session has changes in the end, since they would not be written.
        """
        with _lost_connections_named():
            async with self._reads() as session:
                work = Work(session, is_reading=True)
                yield work
                if session.new or session.dirty or session.deleted:
                    raise RuntimeError("A read changes something.")
        await work.send_all()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[AsyncConnection]:
        """A plain connection in autocommit mode, for locks and bulk reads."""
        with _lost_connections_named():
            async with self.engine.connect() as connection:
                yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def advisory_lock(self, key: int | str) -> AsyncGenerator[AsyncConnection | None]:
        """Hold a lock of the whole database for as long as the connection given lives; None when another holds it."""
        async with self.connection() as connection:
            number = await connection.scalar(_LOCK_NUMBER, {"key": key}) if isinstance(key, str) else key
            if not await connection.scalar(_TRY_LOCK, {"number": number}):
                yield None
                return
            try:
                yield connection
            finally:
                await asyncio.shield(_unlock(connection, number))

    async def ping(self) -> None:
        """Return when the database answers; Unavailable otherwise."""
        async with self.connection() as connection:
            await check_connection(connection)

    def doubt_connections(self) -> None:
        """Use no connection made until now again, since one was lost."""
        if isinstance(pool := self.engine.pool, ShrinkingPool):
            pool.doubt_all()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def check_connection(connection: AsyncConnection) -> None:
    """Return when a connection, and with it its locks, still lives; Unavailable otherwise."""
    with _lost_connections_named():
        await connection.execute(text("SELECT 1"))


async def _unlock(connection: AsyncConnection, number: int) -> None:
    """Free the lock; a connection that cannot say so any more is closed, which frees it as well."""
    try:
        await connection.execute(_UNLOCK, {"number": number})
    except (SQLAlchemyError, OSError, asyncpg.InternalClientError):
        await connection.invalidate()


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


@contextmanager
def _lost_connections_named() -> Generator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _translated(error) from error
    except PoolTimeout as error:
        raise Unavailable("Every connection to PostgreSQL is busy.") from error
    except (OSError, PendingRollbackError, asyncpg.InternalClientError) as error:
        raise Unavailable("PostgreSQL does not answer.") from error


def _translated(error: DBAPIError) -> Exception:
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state == _DISK_FULL:
        return DiskFull("The disk that PostgreSQL writes to is full.")
    if state in _COLLISIONS:
        hint = "Send it again in a moment; nothing was changed."
        return Unavailable("Another change to the same things was being made at this moment.", hint=hint)
    is_lost = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    is_lost = is_lost or state.startswith(_PASSING)
    return Unavailable("PostgreSQL does not answer.") if is_lost else error
