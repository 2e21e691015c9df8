"""Logs: lines are masked where they enter, numbered without gaps, kept in batches, and followed live by any number."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import orjson
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from towline.actions.masking import Masker
from towline.actions.platform import Platform
from towline.errors import DiskFull, Unavailable
from towline.infra.database import Database, Work
from towline.infra.disk_reserve import DiskReserve
from towline.infra.streams import Subscription
from towline.models.base import utc_now
from towline.models.history import Log, LogLine
from towline.values import Level, LogEntry, Stream

_FLUSH_SECONDS = 0.1
_HEARD_SECONDS = 0.04
_BURST_SECONDS = 0.01
_CLOSE_SECONDS = 10.0
_RETRY_SECONDS = 0.5
_FOLLOW_SECONDS = 1.0
_BATCH = 1000
_BUFFER = 20_000
_LONGEST_LINE = 16_384
_COLUMNS = ("at", "stream", "level", "instance_id", "message")
_STORE = text(
    "WITH log AS (UPDATE logs SET last_sequence = last_sequence + :count WHERE id = :log_id RETURNING last_sequence),"
    " stored AS (INSERT INTO log_lines (log_id, sequence, at, stream, level, instance_id, message)"
    " SELECT :log_id, last_sequence - :count + number, at, stream, level, instance_id, message FROM log,"
    " unnest(CAST(:at AS timestamptz[]), CAST(:stream AS text[]), CAST(:level AS text[]),"
    " CAST(:instance_id AS text[]), CAST(:message AS text[]))"
    " WITH ORDINALITY AS line (at, stream, level, instance_id, message, number)) SELECT last_sequence FROM log"
)
"""Numbers and stores a batch in one round trip: it may be one every 40 ms, for each log that is written."""
_log = logging.getLogger(__name__)


def log_channel(owner_id: str) -> str:
    """The live channel of one log."""
    return f"towline:log:{owner_id}"


class LogWriter:
    """Writes one log, in batches at most every 100 ms, or 40 while somebody follows it live.

    A full buffer slows the writer, never loses a line.

    While the disk is full, a patient writer keeps its callers waiting; any other drops lines, and its `report` raises
    DiskFull.
    """

    def __init__(
        self,
        platform: Platform,
        owner_id: str,
        *,
        project_id: str,
        masker: Masker | None = None,
        is_patient: bool = False,
    ) -> None:
        self.masker = masker or Masker()
        self._platform = platform
        self._owner_id = owner_id
        self._project_id = project_id
        self._log_id = 0
        self._is_patient = is_patient
        self._is_heard = False
        self._disk_full: DiskFull | None = None
        self._reserve = DiskReserve(platform.settings.data_dir)
        self._lines: asyncio.Queue[LogEntry | None] = asyncio.Queue(_BUFFER)
        self._flusher: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._cut: set[tuple[Stream, str | None]] = set()

    async def __aenter__(self) -> Self:
        self._flusher = asyncio.create_task(self._flush_for_ever(), name=f"log {self._owner_id}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(self._close())

    async def write(
        self,
        message: str,
        *,
        stream: Stream = "system",
        level: Level = "info",
        instance_id: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Add one line; NUL characters, which PostgreSQL cannot hold, become U+FFFD."""
        source = (stream, instance_id)
        goes_on, went_on = _is_piece(message), source in self._cut
        (self._cut.add if goes_on else self._cut.discard)(source)
        clean = self.masker.mask(message.replace("\0", "�"), goes_on=goes_on, went_on=went_on)[:_LONGEST_LINE]
        await self._lines.put(LogEntry(at or utc_now(), clean, stream, level, instance_id))

    async def report(self, line: str) -> None:
        """Add one line of a child's output; fits adapters' `report` parameter. DiskFull when it cannot be kept."""
        if self._disk_full is not None and not self._is_patient:
            raise DiskFull(self._disk_full.message) from self._disk_full
        await self.write(line, stream="stdout")

    async def flush(self) -> None:
        """Return once every line written so far is stored and sent; gives up after ten seconds."""
        self._hurry.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._lines.join()
        self._hurry.clear()

    async def _close(self) -> None:
        await self._lines.put(None)
        flusher = self._flusher
        if flusher is not None and not (await asyncio.wait([flusher], timeout=_CLOSE_SECONDS))[0]:
            flusher.cancel()
            _log.warning(
                "%d lines of log %s were lost: PostgreSQL does not answer", self._lines.qsize(), self._owner_id
            )

    async def _flush_for_ever(self) -> None:
        is_closing = False
        next_at = 0.0
        while not is_closing:
            first = await self._lines.get()
            if first is None:
                return
            now = time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(_BURST_SECONDS, next_at - now)):
                    await self._hurry.wait()
            began_at, entries = time.monotonic(), [first]
            is_closing = self._take(entries)
            await self._store_at_last(entries)
            next_at = began_at + (_HEARD_SECONDS if self._is_heard else _FLUSH_SECONDS)
            for _ in entries:
                self._lines.task_done()

    def _take(self, entries: list[LogEntry]) -> bool:
        """Fill a batch from the buffer; True when the end was reached."""
        while len(entries) < _BATCH and not self._lines.empty():
            entry = self._lines.get_nowait()
            if entry is None:
                return True
            entries.append(entry)
        return False

    async def _store_at_last(self, entries: list[LogEntry]) -> None:
        while True:
            try:
                await self._store(entries)
            except DiskFull as error:
                self._disk_full = error
                if not self._is_patient:
                    return
            except Unavailable as error:
                _log.info("Log %s waits: %s", self._owner_id, error)
            else:
                self._disk_full = None
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _store(self, entries: Sequence[LogEntry]) -> None:
        self._reserve.check("The log")
        if not self._log_id:
            async with self._platform.database.transaction() as work:
                self._log_id = await get_log_id(work, self._owner_id, project_id=self._project_id)
        lines = await append_lines(self._platform.database, self._log_id, entries)
        self._is_heard = await self._platform.streams.publish(log_channel(self._owner_id), orjson.dumps(lines)) > 0


async def get_log_id(work: Work, owner_id: str, *, project_id: str) -> int:
    """The id of an owner's log, made when there is none."""
    await work.session.execute(upsert(Log).values(owner_id=owner_id, project_id=project_id).on_conflict_do_nothing())
    return (await work.session.execute(select(Log.id).where(Log.owner_id == owner_id))).scalar_one()


async def append_lines(database: Database, log_id: int, entries: Sequence[LogEntry]) -> list[dict[str, Any]]:
    """Store lines; they, numbered and as they go over the wire.

    The log's row is locked until they are committed, so numbers have no gaps and follow commit order.
    """
    columns = {name: [getattr(entry, name) for entry in entries] for name in _COLUMNS}
    async with database.connection() as connection:
        values = {"log_id": log_id, "count": len(entries), **columns}
        last: int = (await connection.execute(_STORE, values)).scalar_one()
    before = last - len(entries)
    return [
        {"sequence": before + number, **{name: getattr(entry, name) for name in _COLUMNS}}
        for number, entry in enumerate(entries, start=1)
    ]


async def read_lines(
    platform: Platform,
    owner_id: str,
    *,
    after: int = 0,
    limit: int = 1000,
    query: str = "",
    since: datetime | None = None,
) -> list[dict[str, Any]]:
    """Lines behind a sequence number, oldest first; `query` keeps those that contain it (case-insensitive)."""
    async with platform.database.transaction() as work:
        statement = _select_lines(owner_id).where(LogLine.sequence > after).order_by(LogLine.sequence).limit(limit)
        if query:
            statement = statement.where(LogLine.message.icontains(query, autoescape=True))
        if since is not None:
            statement = statement.where(LogLine.at >= since)
        return [_row_payload(line) for line in await work.session.scalars(statement)]


async def follow_lines(
    platform: Platform, owner_id: str, *, after: int = 0, is_over: asyncio.Event | None = None
) -> AsyncIterator[list[dict[str, Any]]]:
    """Batches of lines behind `after`, no gap, no repetition, until `is_over` is set and all is read."""
    async with platform.streams.subscribe(log_channel(owner_id)) as subscription:
        last = after
        while True:
            lines = await read_lines(platform, owner_id, after=last)
            if lines:
                last = lines[-1]["sequence"]
                yield lines
                continue
            if is_over is not None and is_over.is_set():
                return
            async for batch in _live(subscription, last, is_over):
                last = batch[-1]["sequence"]
                yield batch


async def _live(
    subscription: Subscription, last: int, is_over: asyncio.Event | None
) -> AsyncIterator[list[dict[str, Any]]]:
    while is_over is None or not is_over.is_set():
        message = await _next_message(subscription, is_over)
        if message is None:
            subscription.catch_up()
            return
        batch = [line for line in orjson.loads(message) if line["sequence"] > last]
        if not batch:
            continue
        if batch[0]["sequence"] != last + 1:
            return
        last = batch[-1]["sequence"]
        yield batch


async def _next_message(subscription: Subscription, is_over: asyncio.Event | None) -> bytes | None:
    """The next message; None when none comes in time, some were lost, or the log is over."""
    if is_over is None:
        return await subscription.get(timeout=_FOLLOW_SECONDS)
    message = asyncio.ensure_future(subscription.get(timeout=_FOLLOW_SECONDS))
    over = asyncio.ensure_future(is_over.wait())
    try:
        await asyncio.wait({message, over}, return_when=asyncio.FIRST_COMPLETED)
        return message.result() if message.done() else None
    finally:
        message.cancel()
        over.cancel()


def _is_piece(message: str) -> bool:
    """Whether a line is so long that its rest may come as the next one: readers cut them at 16 kB."""
    return len(message) * 4 > _LONGEST_LINE - 4 and len(message.encode(errors="replace")) >= _LONGEST_LINE - 4


def _select_lines(owner_id: str) -> Any:
    return select(LogLine).where(LogLine.log_id == select(Log.id).where(Log.owner_id == owner_id).scalar_subquery())


def _row_payload(line: LogLine) -> dict[str, Any]:
    return {
        "sequence": line.sequence,
        "at": line.at,
        "stream": line.stream,
        "level": line.level,
        "instance_id": line.instance_id,
        "message": line.message,
    }
