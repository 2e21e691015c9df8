"""Keeping samples within bounds: every one for a day, one in ten minutes for a week."""

from datetime import timedelta
from typing import Final

from sqlalchemy import text

from towline.actions.platform import Platform
from towline.models.base import utc_now

_FULL_KEPT: Final = timedelta(days=1)
_KEPT: Final = timedelta(days=7)
_STEP_SECONDS: Final = 600
_THIN: Final = text("""
    WITH old AS (
        DELETE FROM metric_samples WHERE NOT is_thinned AND sampled_at < :before RETURNING *
    )
    INSERT INTO metric_samples
    SELECT workload_id, date_bin('10 minutes', sampled_at, TIMESTAMPTZ '2000-01-01 00:00:00+00'), true,
        round(avg(instances)), avg(cpu), round(avg(memory_bytes)), max(memory_limit_bytes), avg(received_rate),
        avg(sent_rate), avg(request_rate), avg(failure_rate), avg(request_ms)
    FROM old GROUP BY 1, 2
    ON CONFLICT DO NOTHING
""")
_FORGET: Final = text("DELETE FROM metric_samples WHERE is_thinned AND sampled_at < :before")


async def thin_samples(platform: Platform) -> None:
    """One mean in place of all samples of ten minutes that are older than a day; none that is older than a week."""
    now = utc_now()
    whole = int((now - _FULL_KEPT).timestamp()) // _STEP_SECONDS * _STEP_SECONDS
    async with platform.database.transaction() as work:
        await work.session.execute(_FORGET, {"before": now - _KEPT})
        await work.session.execute(_THIN, {"before": now.fromtimestamp(whole, now.tzinfo)})
