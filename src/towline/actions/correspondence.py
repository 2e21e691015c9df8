"""Correspondence: one process at a time looks who asked for a new password, and sends the mails that wait."""

import asyncio
import logging
from typing import Final

from towline.actions.mail import BELL, forget_old_mails, send_due_mails, sends_mail
from towline.actions.password_reset import answer_reset_requests, forget_old_requests
from towline.actions.platform import Platform
from towline.actions.reports.sending import forget_old_reports
from towline.errors import TowlineError

_LOOK_SECONDS: Final = 15.0
_RETRY_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


async def correspond(platform: Platform) -> None:
    """Send what waits, at once when it rings and now and then besides; returns at once without a mail server."""
    while sends_mail(platform):
        try:
            async with platform.bell.listen() as ringing:
                while True:
                    await correspond_once(platform)
                    await ringing.wait_for(BELL, timeout=_LOOK_SECONDS)
        except TowlineError as error:
            _log.warning("Mail waits: %s", error)
        await asyncio.sleep(_RETRY_SECONDS)


async def correspond_once(platform: Platform) -> None:
    """Send everything that is due now."""
    while await answer_reset_requests(platform):
        pass
    while await send_due_mails(platform):
        pass


async def forget_correspondence(platform: Platform) -> None:
    """Delete old mails and old wishes for a new password."""
    async with platform.database.transaction() as work:
        await forget_old_mails(work)
        await forget_old_reports(work)
        await forget_old_requests(work)
