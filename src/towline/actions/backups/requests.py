"""Asking for dumps and snapshots, and finding them."""

from collections.abc import Sequence

from sqlalchemy import or_, select

from towline.actions.backups.freezing import freeze_settings, freeze_variables
from towline.actions.backups.settings import backup_settings
from towline.actions.backups.subjects import Subject
from towline.actions.platform import Platform
from towline.errors import Conflict, InvalidInput, NotFound
from towline.infra.database import Work
from towline.models.backups import Backup
from towline.models.base import utc_now
from towline.models.deployments import Release
from towline.names import new_id

BELL = "backups"
OPEN = ("queued", "running")


async def request_dump(
    platform: Platform, work: Work, subject: Subject, *, trigger: str = "manual", requested_by: str = ""
) -> Backup:
    """Queue a dump of what runs; InvalidInput for a service that says no command, Conflict when nothing runs."""
    if not backup_settings(subject.service.run).command:
        raise InvalidInput(
            f"{subject.service.name} has no command that writes a dump.",
            hint="Set `backup: {command: [...]}` in the project file, or take a snapshot of its volume.",
            field="backup.command",
        )
    workload = subject.workload
    if workload.release_id is None or workload.wanted != "running":
        raise Conflict(f"{subject.service.name} does not run in {subject.environment.name}.", hint="Start it first.")
    backup = await add_backup(platform, work, subject, kind="dump", trigger=trigger, requested_by=requested_by)
    work.after_commit(lambda: platform.bell.ring(BELL))
    return backup


async def request_snapshot(
    platform: Platform, work: Work, subject: Subject, volume: str, *, trigger: str = "manual", requested_by: str = ""
) -> Backup:
    """Queue a snapshot of a volume; NotFound when the service has none by that name."""
    check_volume(subject, volume)
    workload = subject.workload
    if workload.release_id is None:
        raise Conflict(f"{subject.title} was never deployed.", hint="Deploy it first.")
    backup = await add_backup(
        platform,
        work,
        subject,
        kind="snapshot",
        trigger=trigger,
        requested_by=requested_by,
        volume=volume,
    )
    work.after_commit(lambda: platform.bell.ring(BELL))
    return backup


def check_volume(subject: Subject, volume: str) -> None:
    """Return when the service has a volume of this name."""
    names = [item["name"] for item in subject.service.run.get("volumes") or ()]
    if volume not in names:
        shown = f"it has {', '.join(names)}" if names else "it has none"
        raise NotFound(f"{subject.service.name} has no volume {volume!r}; {shown}.")


async def add_backup(
    platform: Platform,
    work: Work,
    subject: Subject,
    *,
    kind: str,
    trigger: str,
    requested_by: str = "",
    volume: str = "",
    status: str = "queued",
) -> Backup:
    """The row of a new backup, with the service as it is now."""
    workload = subject.workload
    release = await work.session.get(Release, workload.release_id) if workload.release_id else None
    backup = Backup(
        id=new_id("bkp"),
        project_id=subject.project.id,
        service_id=subject.service.id,
        environment_id=subject.environment.id,
        workload_id=workload.id,
        service_name=subject.service.name,
        environment_name=subject.environment.name,
        kind=kind,
        volume=volume,
        trigger=trigger,
        requested_by=requested_by,
        settings=freeze_settings(subject.service),
        image=release.image if release is not None else "",
        status=status,
        started_at=utc_now() if status == "running" else None,
    )
    backup.variables = await freeze_variables(platform, work, subject.service, backup)
    work.session.add(backup)
    await work.session.flush()
    return backup


async def get_backup(work: Work, project_id: str, backup_id: str) -> Backup:
    """A project's backup; NotFound otherwise."""
    query = select(Backup).where(Backup.id == backup_id, Backup.project_id == project_id)
    backup = (await work.session.scalars(query)).one_or_none()
    if backup is None:
        raise NotFound(f"The project has no backup {backup_id!r}.", hint="List them with `towline backups`.")
    return backup


async def list_backups(
    work: Work, project_id: str, *, service: str | None, kind: str | None, before: str | None, limit: int
) -> Sequence[Backup]:
    """Backups of a project, newest first, also of services that were deleted."""
    query = select(Backup).where(Backup.project_id == project_id)
    if service is not None:
        query = query.where(or_(Backup.service_id == service, Backup.service_name == service))
    if kind is not None:
        query = query.where(Backup.kind == kind)
    if before is not None:
        query = query.where(Backup.id < before)
    return (await work.session.scalars(query.order_by(Backup.id.desc()).limit(limit))).all()


async def delete_backup(platform: Platform, work: Work, backup: Backup) -> None:
    """Delete a backup with its content; Conflict while it is being taken."""
    if backup.status in OPEN:
        raise Conflict(f"The backup {backup.id} is being taken now.", hint="Wait until it has ended.")
    backup_id = backup.id
    await work.session.delete(backup)
    work.after_commit(lambda: platform.dumps.delete(backup_id))
