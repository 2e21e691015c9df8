"""Which backups are kept: by number and days, never less than the newest; what was asked for by hand stays."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from towline.actions.backups.settings import BackupSettings
from towline.actions.platform import Platform
from towline.models.backups import Backup
from towline.models.base import utc_now
from towline.models.projects import Project

AUTOMATIC = ("schedule", "deployment", "restore")
_DEFAULT_NUMBER = 7
_FAILURES_KEPT = 20
_PROJECTS_KEPT = timedelta(days=1)


def choose_old(times: Sequence[datetime], *, number: int | None, days: int | None, now: datetime) -> Sequence[int]:
    """Positions of the backups that go, from the times of all successful ones, newest first.

    One goes when it is beyond the number, or older than the days, where either is said; the newest never goes.
    """
    most = number or (_DEFAULT_NUMBER if days is None else len(times))
    oldest = now - timedelta(days=days) if days is not None else None
    return [
        position
        for position, time in enumerate(times)
        if position > 0 and (position >= most or (oldest is not None and time < oldest))
    ]


async def forget_old_backups(platform: Platform, newest: Backup, settings: BackupSettings) -> None:
    """Delete what the rules no longer keep of the same workload and kind, and old failures."""
    if newest.trigger not in AUTOMATIC:
        return
    mine = (
        (Backup.workload_id == newest.workload_id)
        & (Backup.kind == newest.kind)
        & (Backup.volume == newest.volume)
        & Backup.trigger.in_(AUTOMATIC)
    )
    query = select(Backup.id, Backup.created_at).where(mine, Backup.status == "success").order_by(Backup.id.desc())
    failures = (
        select(Backup.id).where(mine, Backup.status == "failed").order_by(Backup.id.desc()).offset(_FAILURES_KEPT)
    )
    async with platform.database.transaction() as work:
        rows = (await work.session.execute(query)).all()
        old = choose_old(
            [row.created_at for row in rows], number=settings.keep_number, days=settings.keep_days, now=utc_now()
        )
        ids = [rows[position].id for position in old]
        failed = list(await work.session.scalars(failures))
        await work.session.execute(delete(Backup).where(Backup.id.in_([*ids, *failed])))
    for backup_id in ids:
        await platform.dumps.delete(backup_id)


async def clean_dumps(platform: Platform) -> None:
    """Forget backups of projects that were deleted a day ago, then every file that no row knows."""
    async with platform.database.transaction() as work:
        deleted = select(Project.id).where(Project.deleted_at < utc_now() - _PROJECTS_KEPT)
        await work.session.execute(delete(Backup).where(Backup.project_id.in_(deleted)))
        known = set(await work.session.scalars(select(Backup.id)))
    await platform.dumps.clean(known)
