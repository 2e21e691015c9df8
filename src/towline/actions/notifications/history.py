"""How long it is remembered what channels were told."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete

from towline.actions.platform import Platform
from towline.models.base import utc_now
from towline.models.notifications import Notification

_KEPT: Final = timedelta(days=90)


async def forget_old_notifications(platform: Platform) -> None:
    """Delete notifications of more than 90 days ago."""
    async with platform.database.transaction() as work:
        await work.session.execute(delete(Notification).where(Notification.created_at < utc_now() - _KEPT))
