"""Taking a dump or snapshot: streamed from the instance or volume into storage, bounded, its end written down."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import aclosing

from sqlalchemy import update

from towline.actions.backups.keeping import forget_old_backups
from towline.actions.backups.settings import backup_settings
from towline.actions.backups.subjects import Subject, load_subject
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.settings import volume_name
from towline.errors import CommandFailed, Conflict, DiskFull, TimedOut, TowlineError
from towline.models.backups import Backup
from towline.models.base import utc_now
from towline.storage.base import StoredDump
from towline.values import Instance, InstanceState


async def carry_out_backup(platform: Platform, backup: Backup) -> Backup:
    """Take a backup whose row says `running`, and write its end; what went wrong stands on the row."""
    async with platform.database.transaction() as work:
        subject = await load_subject(work, backup.workload_id)
    try:
        stored = await _store(platform, backup, subject)
    except TowlineError as error:
        return await _end(platform, backup, error=error)
    ended = await _end(platform, backup, stored=stored)
    await forget_old_backups(platform, backup, backup_settings(subject.service.run))
    return ended


async def find_running_instance(platform: Platform, subject: Subject) -> Instance:
    """An instance of the workload's release to run commands in; Conflict when none runs."""
    status = await platform.orchestrator.get_status(subject.workload.id)
    for instance in status.instances:
        if instance.state is InstanceState.RUNNING and instance.release_id == subject.workload.release_id:
            return instance
    raise Conflict(f"No instance of {subject.title} runs.", hint="Start the service, then try again.")


async def _store(platform: Platform, backup: Backup, subject: Subject) -> StoredDump:
    settings = platform.settings
    seconds = settings.backup_timeout.total_seconds()
    await _check_disk(platform)
    try:
        async with asyncio.timeout(seconds), aclosing(await _open(platform, backup, subject)) as chunks:
            stored = await platform.dumps.store(backup.id, chunks, max_bytes=settings.backup_max_bytes)
    except TimeoutError as error:
        raise TimedOut(
            f"The {backup.kind} of {subject.title} took longer than {seconds:g} s.",
            hint="Raise TOWLINE_BACKUP_TIMEOUT, or dump less.",
        ) from error
    if stored.size == 0:
        await platform.dumps.delete(backup.id)
        raise CommandFailed(f"The {backup.kind} of {subject.title} is empty: nothing was written to standard output.")
    return stored


async def _open(platform: Platform, backup: Backup, subject: Subject) -> AsyncGenerator[bytes]:
    if backup.kind == "snapshot":
        return platform.orchestrator.read_volume(volume_name(subject.workload.id, backup.volume), image=backup.image)
    command = backup_settings(subject.service.run).command
    return platform.orchestrator.read_command(await find_running_instance(platform, subject), command)


async def _check_disk(platform: Platform) -> None:
    least = platform.settings.minimum_free_disk_bytes
    free = (await asyncio.to_thread(shutil.disk_usage, platform.settings.data_dir)).free
    if free < least:
        raise DiskFull(f"Only {free} bytes of disk are free; {least} are kept for what runs.")


async def _end(
    platform: Platform, backup: Backup, *, stored: StoredDump | None = None, error: TowlineError | None = None
) -> Backup:
    values = {"status": "failed", "error": f"{error.message} {error.hint}" if error is not None else ""}
    if stored is not None:
        values = {"status": "success", "error": "", "digest": stored.digest}
        backup.size, backup.stored_size = stored.size, stored.stored_size
    backup.finished_at = utc_now()
    for name, value in values.items():
        setattr(backup, name, value)
    facts = {"size": backup.size, "stored_size": backup.stored_size, "finished_at": backup.finished_at}
    data = {"backup": backup.id, "kind": backup.kind, "message": backup.error}
    async with platform.database.transaction() as work:
        await work.session.execute(update(Backup).where(Backup.id == backup.id).values(**values, **facts))
        emit(
            platform,
            work,
            f"backup.{'finished' if error is None else 'failed'}",
            project_id=backup.project_id,
            service_id=backup.service_id,
            data=data,
        )
    return backup
