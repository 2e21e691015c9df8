"""Telling git platforms: what differs from what they were told last, tried again for a while, then shown as failed."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, update

from towline.actions.connections.administration import find_connection
from towline.actions.connections.calling import open_line
from towline.actions.platform import Platform
from towline.actions.reports.contents import (
    Content,
    Render,
    name_of,
    render_hook,
    render_hook_removal,
    render_status,
)
from towline.actions.reports.previews import render_comment, render_preview_status
from towline.errors import HostRefused, NotFound, TowlineError, Unavailable, UnexpectedError
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.connections import Connection, HostReport

_AT_ONCE: Final = 10
_LEASE: Final = timedelta(minutes=2)
_LOOK_AGAIN: Final = timedelta(seconds=5)
_LOOK_SELDOM: Final = timedelta(seconds=30)
"""At what is steady, so that many open requests do not keep what is under way waiting."""

_FIRST_RETRY: Final = timedelta(seconds=10)
_LONGEST_RETRY: Final = timedelta(minutes=30)
_MOST_ATTEMPTS: Final = 10
_KEPT: Final = timedelta(days=90)
_RENDERERS: Final[Mapping[str, Render]] = {
    "hook": render_hook,
    "hook_removal": render_hook_removal,
    "comment": render_comment,
}
_log = logging.getLogger(__name__)


async def send_due_reports(platform: Platform) -> int:
    """Look at the reports that are due, and tell the platforms what has changed; how many were looked at."""
    reports = await _claim(platform)
    await asyncio.gather(*(_look_at(platform, report) for report in reports))
    return len(reports)


async def forget_old_reports(work: Work) -> None:
    """Delete statuses and removals that ended more than 90 days ago."""
    is_old = (HostReport.state != "open") & (HostReport.look_at < utc_now() - _KEPT)
    await work.session.execute(delete(HostReport).where(is_old, HostReport.kind.in_(("status", "hook_removal"))))


async def _claim(platform: Platform) -> Sequence[HostReport]:
    """Due reports, put off, so that a process that dies now leaves them to another."""
    now = utc_now()
    query = (
        select(HostReport)
        .where(HostReport.state == "open", HostReport.look_at <= now)
        .order_by(HostReport.look_at)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    async with platform.database.transaction() as work:
        reports = (await work.session.scalars(query)).all()
        for report in reports:
            report.look_at = now + _LEASE
    return reports


async def _look_at(platform: Platform, report: HostReport) -> None:
    try:
        async with platform.database.transaction() as work:
            content = await _render_of(report)(platform, work, report)
            connection = await find_connection(
                work.session, project_id=report.project_id, repository=report.repository, kind=report.platform
            )
        if content is None:
            return await _update(platform, report, state="settled", error="")
        if content.digest != report.sent_digest:
            await _send(platform, report, content, connection)
        state = "settled" if content.is_final else "open"
        look_at = utc_now() + (_LOOK_SELDOM if content.is_steady else _LOOK_AGAIN)
        return await _update(platform, report, state=state, attempts=0, error="", look_at=look_at)
    except TowlineError as error:
        _log.warning("%s was not told of %s: %s", report.repository, report.kind, error)
        return await _note_failure(platform, report, error)
    except Exception as error:
        # One report must not hold up all others, again after every restart.
        _log.exception("The report %s failed unexpectedly", report.id)
        return await _note_failure(platform, report, UnexpectedError.of(error))


def _render_of(report: HostReport) -> Render:
    if report.kind == "status":
        return render_preview_status if "preview" in report.facts else render_status
    return _RENDERERS[report.kind]


async def _send(platform: Platform, report: HostReport, content: Content, connection: Connection | None) -> None:
    if connection is None:
        raise NotFound(f"There is no connection for {report.repository} any more.")
    line = await open_line(platform, connection, repository=name_of(report), rights=content.rights)
    answer: object = await line.send(content.request(line.api, report.remote_id))
    facts: dict[str, Any] = {"sent_digest": content.digest, "sent_at": utc_now()}
    if content.keeps_id and not report.remote_id:
        facts["remote_id"] = line.api.read_id(answer)
    async with platform.database.transaction() as work:
        await work.session.execute(update(HostReport).where(HostReport.id == report.id).values(facts))


async def _note_failure(platform: Platform, report: HostReport, error: TowlineError) -> None:
    is_gone = isinstance(error, HostRefused) and bool(report.remote_id) and " 404" in error.message
    if is_gone:  # somebody has deleted it there: it is made anew
        async with platform.database.transaction() as work:
            await work.session.execute(update(HostReport).where(HostReport.id == report.id).values(remote_id=""))
    attempts = report.attempts + 1
    may_pass = error.retryable or is_gone or isinstance(error, Unavailable)
    if not may_pass or attempts >= _MOST_ATTEMPTS:
        return await _update(platform, report, state="failed", attempts=attempts, error=error.message)
    return await _update(platform, report, attempts=attempts, error=error.message, look_at=_next_try(attempts))


def _next_try(attempts: int) -> datetime:
    return utc_now() + min(_FIRST_RETRY * 2 ** (attempts - 1), _LONGEST_RETRY)


async def _update(platform: Platform, report: HostReport, **values: Any) -> None:
    """Write how it ended, unless something else is wanted by now."""
    async with platform.database.transaction() as work:
        query = update(HostReport).where(HostReport.id == report.id, HostReport.version == report.version)
        await work.session.execute(query.values(**values))
