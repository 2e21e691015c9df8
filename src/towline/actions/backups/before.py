"""Volumes kept before a risky step, where their service asks for that."""

from collections.abc import Sequence

from towline.actions.backups.requests import add_backup
from towline.actions.backups.settings import backup_settings
from towline.actions.backups.subjects import load_subject
from towline.actions.backups.taking import carry_out_backup
from towline.actions.platform import Platform
from towline.errors import Conflict
from towline.models.backups import Backup


async def keep_volumes(platform: Platform, workload_id: str) -> Sequence[Backup]:
    """Snapshots of every volume of a stopped workload; none where its service does not ask for them.

    Conflict when one fails: the step that was to be made safe must not be taken.
    """
    async with platform.database.transaction() as work:
        subject = await load_subject(work, workload_id)
        run = subject.service.run
        names = [item["name"] for item in run.get("volumes") or ()] if backup_settings(run).snapshot else []
        backups = [
            await add_backup(
                platform, work, subject, kind="snapshot", trigger="deployment", volume=name, status="running"
            )
            for name in names
        ]
    taken = [await carry_out_backup(platform, backup) for backup in backups]
    for backup in taken:
        if backup.status != "success":
            raise Conflict(
                f"The volume {backup.volume} could not be kept before the deployment: {backup.error}",
                hint="Correct that, or take `snapshot` out of the service's backup settings.",
            )
    return taken
