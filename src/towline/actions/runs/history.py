"""How long runs are remembered: the latest of each service, with their logs."""

from sqlalchemy import delete, func, select

from towline.actions.platform import Platform
from towline.models.history import Log
from towline.models.runs import CronRun
from towline.runs import OPEN_RUN_STATUSES

_AT_ONCE = 200


async def forget_old_runs(platform: Platform) -> None:
    """Keep so many runs of each workload, and forget the others with their logs; each in a transaction of its own."""
    number = func.row_number().over(partition_by=CronRun.workload_id, order_by=CronRun.scheduled_at.desc())
    ranked = select(CronRun.id, CronRun.status, number.label("rank")).subquery()
    too_many = (
        select(ranked.c.id)
        .where(ranked.c.rank > platform.settings.kept_runs, ranked.c.status.not_in(OPEN_RUN_STATUSES))
        .limit(_AT_ONCE)
    )
    async with platform.database.transaction() as work:
        ids = (await work.session.scalars(too_many)).all()
    for run_id in ids:
        async with platform.database.transaction() as work:
            await work.session.execute(delete(Log).where(Log.owner_id == run_id))
            await work.session.execute(delete(CronRun).where(CronRun.id == run_id))
