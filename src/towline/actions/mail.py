"""Mail: what is said in each, kept until it was sent, tried again for as long as it is of use."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update

from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.errors import Conflict, KeyMismatch, MailNotSent
from towline.infra.database import Work
from towline.infra.mail import SmtpServer, make_message, parse_smtp_url, send_mail
from towline.models.base import utc_now
from towline.models.members import Mail
from towline.names import new_id

BELL: Final = "mail"
_AT_ONCE: Final = 10
_TEST_SECONDS: Final = 15.0
_LEASE: Final = timedelta(minutes=2)
_FIRST_RETRY: Final = timedelta(seconds=30)
_LONGEST_RETRY: Final = timedelta(hours=1)
_MOST_ATTEMPTS: Final = 20
_KEPT: Final = timedelta(days=30)
_log = logging.getLogger(__name__)


def sends_mail(platform: Platform) -> bool:
    """Whether this instance has a mail server."""
    return bool(platform.settings.smtp_url.get_secret_value())


def queue_mail(
    platform: Platform, work: Work, *, recipient: str, subject: str, text: str, expires_at: datetime
) -> Mail:
    """Send a mail once this work is committed, and again until it succeeds or is of no use any more."""
    mail = Mail(id=new_id("mai"), created_at=utc_now(), recipient=recipient, subject=subject, expires_at=expires_at)
    mail.text = platform.secrets.seal(text, context=mail_context(mail))
    work.session.add(mail)
    work.after_commit(lambda: platform.bell.ring(BELL))
    return mail


def mail_context(mail: Mail) -> str:
    """What a mail's sealed text is bound to."""
    return f"mail:{mail.id}"


def invitation_text(platform: Platform, *, inviter: str, place: str, link: str, expires_at: datetime) -> str:
    """What somebody who is invited is told."""
    return (
        f"{inviter} invites you to {place} on Towline at {platform_url(platform)}.\n\n"
        f"Accept the invitation here:\n\n{link}\n\n"
        f"The link works once, until {_shown(expires_at)}, and only for this address.\n"
        "If you do not know who this is, delete this mail; nothing happens then.\n"
    )


def reset_text(platform: Platform, *, link: str, expires_at: datetime) -> str:
    """What somebody who wishes to choose a new password is told."""
    return (
        f"Somebody, probably you, asked for a new password of your account on {platform_url(platform)}.\n\n"
        f"Choose it here:\n\n{link}\n\n"
        f"The link works once, until {_shown(expires_at)}. It ends all your sessions.\n"
        "If it was not you, delete this mail; your password stays as it is.\n"
    )


async def check_not_flooded(work: Work, recipient: str, *, most: int) -> None:
    """Return while an address was written to less than `most` times within an hour; Conflict afterwards."""
    recent = Mail.created_at > utc_now() - timedelta(hours=1)
    query = select(func.count()).select_from(Mail).where(Mail.recipient == recipient, recent)
    if (await work.session.scalar(query) or 0) >= most:
        raise Conflict(f"{recipient} was written to {most} times within an hour.", hint="Try again in an hour.")


async def send_test_mail(platform: Platform, *, recipient: str) -> tuple[SmtpServer, str]:
    """Send a test mail at once: the server, and its answer. Conflict without a mail server, MailNotSent if it fails."""
    server = get_server(platform)
    text = f"This is the test mail of Towline at {platform_url(platform)}. It arrived, so mail works.\n"
    message = make_message(sender=sender(platform), recipient=recipient, subject="Test mail from Towline", text=text)
    return server, await send_mail(server, message, timeout=_TEST_SECONDS)


def get_server(platform: Platform) -> SmtpServer:
    """The mail server of this instance; Conflict without one."""
    url = platform.settings.smtp_url.get_secret_value()
    if not url:
        raise Conflict(
            "This instance has no mail server.",
            hint="Set TOWLINE_SMTP_URL and TOWLINE_MAIL_FROM, and start Towline again.",
        )
    return parse_smtp_url(url)


def sender(platform: Platform) -> str:
    """From whom mails come."""
    return platform.settings.mail_from or f"Towline <towline@{platform.settings.effective_platform_host}>"


async def send_due_mails(platform: Platform) -> int:
    """Send the mails that are due, each for itself; how many were tried."""
    if not sends_mail(platform):
        return 0
    mails = await _claim(platform)
    await asyncio.gather(*(_send(platform, mail) for mail in mails))
    return len(mails)


async def forget_old_mails(work: Work) -> None:
    """Delete mails of more than 30 days ago, sent or not."""
    await work.session.execute(delete(Mail).where(Mail.created_at < utc_now() - _KEPT))


async def _claim(platform: Platform) -> Sequence[Mail]:
    """Due mails, one attempt counted and put off, so that a process that dies now sends none twice at once."""
    now = utc_now()
    query = (
        select(Mail)
        .where(Mail.sent_at.is_(None), Mail.given_up_at.is_(None), Mail.not_before <= now)
        .order_by(Mail.not_before)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    async with platform.database.transaction() as work:
        mails = (await work.session.scalars(query)).all()
        for mail in mails:
            mail.attempts += 1
            mail.not_before = now + _LEASE
    return mails


async def _send(platform: Platform, mail: Mail) -> None:
    if mail.expires_at <= utc_now() or mail.attempts > _MOST_ATTEMPTS:
        return await _give_up(platform, mail, mail.error or "It was not sent in time.")
    try:
        text = platform.secrets.open_text(mail.text, context=mail_context(mail))
        message = make_message(sender=sender(platform), recipient=mail.recipient, subject=mail.subject, text=text)
        await send_mail(get_server(platform), message)
    except MailNotSent as error:
        _log.warning("The mail %s was not sent: %s", mail.id, error)
        if not error.retryable:
            return await _give_up(platform, mail, error.message)
        return await _put_off(platform, mail, error.message)
    except (KeyMismatch, ValueError) as error:
        return await _give_up(platform, mail, str(error))
    return await _update(platform, mail, sent_at=utc_now(), text=b"", error="")


async def _put_off(platform: Platform, mail: Mail, error: str) -> None:
    wait = min(_FIRST_RETRY * 2 ** min(mail.attempts - 1, 10), _LONGEST_RETRY)
    await _update(platform, mail, not_before=utc_now() + wait, error=error)


async def _give_up(platform: Platform, mail: Mail, error: str) -> None:
    await _update(platform, mail, given_up_at=utc_now(), text=b"", error=error)


async def _update(platform: Platform, mail: Mail, **values: object) -> None:
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(Mail).where(Mail.id == mail.id, Mail.attempts == mail.attempts).values(**values)
        )


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
