"""Certificates of previews: authorities give so many a week for one domain, and previews must not use them all up."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, text

from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.preview_certificates import PreviewCertificate

_WEEK: Final = timedelta(days=7)
_KEPT: Final = timedelta(days=60)
"""A certificate lasts for 90 days and is renewed after 60; until then its host needs no other."""

_LOCK: Final = 7_420_011


async def take_certificate(work: Work, host: str, *, most: int) -> bool:
    """Whether a host of a preview gets a certificate of its own, which then counts; once had, it is had again."""
    await work.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    now = utc_now()
    await forget_old_certificates(work, now=now)
    if await work.session.get(PreviewCertificate, host) is not None:
        return True
    recent = select(func.count()).select_from(PreviewCertificate).where(PreviewCertificate.asked_at > now - _WEEK)
    if (await work.session.scalar(recent) or 0) >= most:
        return False
    work.session.add(PreviewCertificate(host=host, asked_at=now))
    await work.session.flush()
    return True


async def forget_old_certificates(work: Work, *, now: datetime) -> None:
    """Forget which hosts asked for one so long ago that they would have to ask again."""
    await work.session.execute(delete(PreviewCertificate).where(PreviewCertificate.asked_at < now - _KEPT))
