"""Reading logs: pages along the sequence, the last lines, searching, and following with the same choice of lines."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.events import CHANNEL
from towline.actions.logs import follow_lines
from towline.actions.platform import Platform
from towline.errors import TimedOut
from towline.models.deployments import Deployment
from towline.models.history import Log, LogLine
from towline.models.runs import CronRun
from towline.runs import OPEN_RUN_STATUSES
from towline.values import OPEN_STATUSES

Line = dict[str, Any]
DEFAULT_TAIL: Final = 200
SEARCH_LIMIT: Final = timedelta(seconds=10)
_COLUMNS: Final = (
    LogLine.sequence,
    LogLine.at,
    LogLine.stream,
    LogLine.level,
    LogLine.instance_id,
    LogLine.message,
)
_WINDOW: Final = 50_000
"""Most lines one search along the sequence looks at; the next page goes on behind them."""

_DISORDER: Final = 5_000
"""How many lines several instances' lines may be out of the order of their times."""

_LOOK_SECONDS: Final = 2.0
_BOUND_SEARCH: Final = text("SELECT set_config('statement_timeout', :most, true)")
_TOO_SLOW: Final = "57014"


@dataclass(frozen=True, slots=True)
class LineChoice:
    """Which lines are wanted. `first` is a sequence, inclusive, `before` one exclusive; empty fields do not limit."""

    first: int = 0
    since: datetime | None = None
    before: int | None = None
    tail: int | None = None
    query: str = ""
    level: str = ""
    instance_id: str = ""
    limit: int = 1000

    def takes(self, line: Line) -> bool:
        """Whether a line is wanted, wherever the choice begins."""
        return (
            (not self.query or self.query.lower() in line["message"].lower())
            and (not self.level or line["level"] == self.level)
            and (not self.instance_id or line["instance_id"] == self.instance_id)
        )

    @property
    def is_filtered(self) -> bool:
        """Whether lines are chosen by more than their place."""
        return bool(self.query or self.level or self.instance_id)


@dataclass(frozen=True, slots=True)
class LinePage:
    """Lines in order, and the sequence to go on from."""

    lines: Sequence[Line]
    next_sequence: int


async def read_page(
    platform: Platform, owner_id: str, choice: LineChoice, *, limit: timedelta = SEARCH_LIMIT
) -> LinePage:
    """The chosen lines of one log; none when nothing was written to it yet. TimedOut when a search takes too long."""
    try:
        return await _read_page(platform, owner_id, choice, limit=limit)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _TOO_SLOW:
            raise
        raise TimedOut(
            f"Searching the log took longer than {limit.total_seconds():g} s.",
            hint="Search a part of it: pass `since`, a time or a sequence, and go on from `next_sequence`.",
        ) from error


async def _read_page(platform: Platform, owner_id: str, choice: LineChoice, *, limit: timedelta) -> LinePage:
    async with platform.database.transaction() as work:
        if choice.is_filtered:
            await work.session.execute(_BOUND_SEARCH, {"most": f"{limit.total_seconds() * 1000:.0f}ms"})
        log = (await work.session.execute(select(Log.id, Log.last_sequence).where(Log.owner_id == owner_id))).first()
        if log is None:
            return LinePage((), 1)
        first = max(1, choice.first, await _first_since(work.session, log.id, choice.since))
        last = log.last_sequence if choice.before is None else min(log.last_sequence, choice.before - 1)
        read = _read_on if choice.tail is None else _read_tail
        return await read(work.session, log.id, last, first, choice)


async def follow_page(
    platform: Platform, owner_id: str, choice: LineChoice, *, is_over: asyncio.Event | None = None
) -> AsyncGenerator[Sequence[Line]]:
    """The chosen lines there are, then those that come, each once and in order, until `is_over` and all is read."""
    after = max(0, choice.first - 1)
    if choice.tail is not None or choice.since is not None:
        page = await read_page(platform, owner_id, choice)
        if page.lines:
            yield page.lines
        after = page.next_sequence - 1
    async with aclosing(_follow(platform, owner_id, after, is_over)) as batches:
        async for batch in batches:
            wanted = [line for line in batch if choice.takes(line)] if choice.is_filtered else batch
            if wanted:
                yield wanted


async def wait_until_final(platform: Platform, owner_id: str) -> None:
    """Return once nothing more will happen to a deployment or run; its log is complete then."""
    name = owner_id.encode()
    async with platform.streams.subscribe(CHANNEL) as subscription:
        while not await _is_final(platform, owner_id):
            message = await subscription.get(timeout=_LOOK_SECONDS)
            while message is not None and name not in message:
                message = await subscription.get(timeout=_LOOK_SECONDS)
            if message is None and subscription.is_lagged:
                subscription.catch_up()
                await asyncio.sleep(_LOOK_SECONDS / 10)


async def _follow(
    platform: Platform, owner_id: str, after: int, is_over: asyncio.Event | None
) -> AsyncGenerator[Sequence[Line]]:
    async for batch in follow_lines(platform, owner_id, after=after, is_over=is_over):
        yield batch


async def _is_final(platform: Platform, owner_id: str) -> bool:
    query = select(Deployment.status).where(Deployment.id == owner_id)
    if owner_id.startswith("run_"):
        query = select(CronRun.status).where(CronRun.id == owner_id)
    async with platform.database.transaction() as work:
        status = await work.session.scalar(query)
    return status not in {*OPEN_STATUSES, *OPEN_RUN_STATUSES}


async def _first_since(session: AsyncSession, log_id: int, since: datetime | None) -> int:
    """About the first sequence at or after a time; times of several instances may be a little out of order."""
    if since is None:
        return 1
    query = select(LogLine.sequence).where(LogLine.log_id == log_id, LogLine.at >= since).order_by(LogLine.at)
    found = await session.scalar(query.limit(1))
    if found is not None:
        return max(1, found - _DISORDER)
    last = await session.scalar(select(Log.last_sequence).where(Log.id == log_id))
    return (last or 0) + 1


async def _read_tail(session: AsyncSession, log_id: int, last: int, first: int, choice: LineChoice) -> LinePage:
    query = _chosen(log_id, choice).where(LogLine.sequence >= first, LogLine.sequence <= last)
    rows = await session.execute(query.order_by(LogLine.sequence.desc()).limit(choice.tail))
    return LinePage(_lines(rows)[::-1], max(last + 1, first))


async def _read_on(session: AsyncSession, log_id: int, last: int, first: int, choice: LineChoice) -> LinePage:
    end = min(last, first + _WINDOW - 1) if choice.is_filtered else last
    query = _chosen(log_id, choice).where(LogLine.sequence >= first, LogLine.sequence <= end)
    lines = _lines(await session.execute(query.order_by(LogLine.sequence).limit(choice.limit)))
    if len(lines) == choice.limit:
        return LinePage(lines, lines[-1]["sequence"] + 1)
    return LinePage(lines, max(end + 1, first))


def _chosen(log_id: int, choice: LineChoice) -> Any:
    query = select(*_COLUMNS).where(LogLine.log_id == log_id)
    if choice.query:
        query = query.where(LogLine.message.icontains(choice.query, autoescape=True))
    if choice.level:
        query = query.where(LogLine.level == choice.level)
    if choice.instance_id:
        query = query.where(LogLine.instance_id == choice.instance_id)
    return query if choice.since is None else query.where(LogLine.at >= choice.since)


def _lines(rows: Any) -> list[Line]:
    return [dict(row) for row in rows.mappings()]
