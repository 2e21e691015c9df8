"""The outbox: mails survive what fails, are sealed while they wait, and are forgotten once they were sent."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from tests.smtp_server import Inbox, serve_smtp
from tests.stand_ins import stand_in_platform

from towline.actions.correspondence import correspond
from towline.actions.mail import queue_mail, send_due_mails
from towline.actions.platform import Platform
from towline.models.base import utc_now
from towline.models.members import Mail

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `serve_smtp`

LINK = "https://towline.example.com/invitation/secret-link"


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """A mail server."""
    async with serve_smtp() as inbox:
        yield inbox


@pytest.fixture
async def mailing(tmp_path: Path, postgres_url: str, redis_url: str, inbox: Inbox) -> AsyncIterator[Platform]:
    """A platform that sends mail."""
    parts = {"postgres_url": postgres_url, "redis_url": redis_url, "smtp_url": inbox.url}
    async with stand_in_platform(tmp_path, **parts) as platform:
        yield platform


async def test_a_mail_is_sealed_while_it_waits_and_wiped_once_sent(mailing: Platform, inbox: Inbox) -> None:
    await _queue(mailing)
    assert b"secret-link" not in (await _row(mailing)).text
    assert await send_due_mails(mailing) == 1
    row = await _row(mailing)
    assert (row.text, row.sent_at is not None, row.error) == (b"", True, "")
    assert LINK in inbox.text
    assert await send_due_mails(mailing) == 0


async def test_what_fails_for_now_is_tried_again_later(mailing: Platform, inbox: Inbox) -> None:
    inbox.refusals["kim@example.com"] = "451 4.7.1 greylisted"
    await _queue(mailing)
    await send_due_mails(mailing)
    row = await _row(mailing)
    assert "451 4.7.1 greylisted" in row.error
    assert (row.sent_at, row.given_up_at, row.text != b"") == (None, None, True)
    assert await send_due_mails(mailing) == 0
    inbox.refusals.clear()
    await _change(mailing, not_before=utc_now())
    assert await send_due_mails(mailing) == 1
    assert (await _row(mailing)).sent_at is not None


async def test_what_will_never_work_or_is_too_old_is_given_up_and_wiped(mailing: Platform, inbox: Inbox) -> None:
    inbox.refusals["kim@example.com"] = "550 no such user"
    await _queue(mailing)
    await send_due_mails(mailing)
    row = await _row(mailing)
    assert (row.given_up_at is not None, row.text) == (True, b"")
    await _queue(mailing, valid_for=timedelta(seconds=-1))
    tries = inbox.tries
    await send_due_mails(mailing)
    assert inbox.tries == tries
    assert (await _row(mailing)).given_up_at is not None


async def test_a_mail_of_work_that_failed_is_never_sent(mailing: Platform, inbox: Inbox) -> None:
    with pytest.raises(RuntimeError):
        await _queue(mailing, fails=True)
    assert await send_due_mails(mailing) == 0
    assert inbox.messages == []


async def test_the_periodic_work_sends_as_soon_as_it_rings(mailing: Platform, inbox: Inbox) -> None:
    inbox.refusals["kim@example.com"] = "451 later"
    task = asyncio.create_task(correspond(mailing))
    try:
        await _queue(mailing)
        async with asyncio.timeout(10):
            await inbox.tried.wait()
        inbox.refusals.clear()
        await _queue(mailing)
        async with asyncio.timeout(10):
            await inbox.arrived.wait()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _queue(platform: Platform, *, valid_for: timedelta = timedelta(hours=1), fails: bool = False) -> None:
    expires_at = utc_now() + valid_for
    async with platform.database.transaction() as work:
        queue_mail(platform, work, recipient="kim@example.com", subject="Hello", text=LINK, expires_at=expires_at)
        await work.session.flush()
        if fails:
            raise RuntimeError


async def _row(platform: Platform) -> Mail:
    async with platform.database.transaction() as work:
        return (await work.session.scalars(select(Mail).order_by(Mail.created_at.desc()).limit(1))).one()


async def _change(platform: Platform, **values: object) -> None:
    async with platform.database.transaction() as work:
        await work.session.execute(update(Mail).values(**values))
