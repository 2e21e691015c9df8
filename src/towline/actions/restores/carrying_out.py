"""Carrying a restore out: the new service brought up, the content fed to it, its health and check looked at."""

import asyncio
import logging
from contextlib import aclosing

from sqlalchemy import update

from towline.actions.access import SYSTEM
from towline.actions.backups.requests import add_backup
from towline.actions.backups.settings import backup_settings
from towline.actions.backups.subjects import Subject, load_subject
from towline.actions.backups.taking import carry_out_backup, find_running_instance
from towline.actions.backups.volumes import fill_volume, start_again, wait_until_stopped
from towline.actions.deploying import Place, Wanted, deploy
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.services import delete_service
from towline.errors import CommandFailed, Conflict, TimedOut, TowlineError, Unhealthy
from towline.models.backups import Backup, Restore
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.services import Service
from towline.values import DeploymentStatus

_LOOK_SECONDS = 0.3
_CHECK_SECONDS = 300.0
_log = logging.getLogger(__name__)


async def carry_out_restore(platform: Platform, restore: Restore) -> None:
    """Carry out a restore whose row says `running`, and write its end."""
    problem = ""
    seconds = platform.settings.backup_timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            await _run(platform, restore)
    except TimeoutError:
        problem = f"It took longer than {seconds:g} s. {TimedOut.hint}"
    except TowlineError as error:
        problem = f"{error.message} {error.hint}"
    # Not when it is cancelled: the next conductor goes on, and nothing may run on half a volume until then.
    await start_again(platform, restore)
    if restore.kind == "test":
        await remove_test_service(platform, restore)
    await end_restore(platform, restore, problem=problem)


async def end_restore(platform: Platform, restore: Restore, *, problem: str) -> None:
    """Write the end of a restore, of a test also on its backup."""
    status, now = "failed" if problem else "success", utc_now()
    async with platform.database.transaction() as work:
        values = {"status": status, "error": problem, "finished_at": now}
        await work.session.execute(update(Restore).where(Restore.id == restore.id).values(**values))
        if restore.kind == "test":
            result = {"test_status": status, "test_error": problem, "tested_at": now}
            await work.session.execute(update(Backup).where(Backup.id == restore.backup_id).values(**result))
        what = "tested" if restore.kind == "test" else "restored"
        emit(
            platform,
            work,
            "backup.restore_failed" if problem else f"backup.{what}",
            project_id=restore.project_id,
            service_id=restore.service_id,
            data={"backup": restore.backup_id, "restore": restore.id, "message": problem},
        )


async def remove_test_service(platform: Platform, restore: Restore) -> None:
    """Delete the service of a test with all that runs of it."""
    async with platform.database.transaction() as work:
        service = await work.session.get(Service, restore.service_id)
        if service is not None and service.deleted_at is None:
            await delete_service(platform, work, service)
    await platform.bell.ring("reconcile")


async def _run(platform: Platform, restore: Restore) -> None:
    backup = await _wait_for_backup(platform, restore)
    if restore.kind == "volume":
        await _restore_volume(platform, restore, backup)
        return
    async with platform.database.transaction() as work:
        subject = await load_subject(work, restore.workload_id)
    if backup.kind == "snapshot":
        await fill_volume(platform, subject, backup, volume=backup.volume)
        await _deploy(platform, restore, subject)
    await _wait_for_deployment(platform, restore)
    async with platform.database.transaction() as work:
        subject = await load_subject(work, restore.workload_id)
    if backup.kind == "dump":
        await _feed(platform, subject, backup)
    if restore.check_command:
        await _check(platform, subject, restore)


async def _restore_volume(platform: Platform, restore: Restore, backup: Backup) -> None:
    """What the volume held is kept as a snapshot first, and put back when the content cannot be written."""
    async with platform.database.transaction() as work:
        subject = await load_subject(work, restore.workload_id)
        before = None
        if subject.workload.release_id is not None:
            before = await add_backup(
                platform,
                work,
                subject,
                kind="snapshot",
                trigger="restore",
                volume=restore.volume,
                status="running",
            )
    await wait_until_stopped(platform, subject)
    if before is not None:
        before = await carry_out_backup(platform, before)
        if before.status != "success":
            raise Conflict(f"The volume was left as it is, since it could not be kept: {before.error}")
    try:
        await fill_volume(platform, subject, backup, volume=restore.volume)
    except BaseException:
        if before is not None:
            _log.warning("The volume %s of %s is put back as it was", restore.volume, subject.title)
            await asyncio.shield(fill_volume(platform, subject, before, volume=restore.volume))
        raise
    if backup.trigger == "copy":
        async with platform.database.transaction() as work:
            await work.session.delete(await work.session.get_one(Backup, backup.id))
        await platform.dumps.delete(backup.id)


async def _deploy(platform: Platform, restore: Restore, subject: Subject) -> None:
    async with platform.database.transaction() as work:
        place = Place(subject.project, subject.service, subject.environment)
        deployment = await deploy(platform, work, place, wanted=Wanted(), caller=SYSTEM)
        restore.deployment_id = deployment.id
        await work.session.execute(update(Restore).where(Restore.id == restore.id).values(deployment_id=deployment.id))


async def _wait_for_backup(platform: Platform, restore: Restore) -> Backup:
    """The backup once it is taken: a copy of a volume begins with one."""
    while True:
        async with platform.database.transaction() as work:
            backup = await work.session.get(Backup, restore.backup_id) if restore.backup_id else None
        if backup is None:
            raise Conflict("The backup was deleted before it could be restored.")
        if backup.status == "failed":
            raise Conflict(f"Nothing could be copied: {backup.error}")
        if backup.status == "success":
            return backup
        await asyncio.sleep(_LOOK_SECONDS)


async def _wait_for_deployment(platform: Platform, restore: Restore) -> None:
    while True:
        async with platform.database.transaction() as work:
            deployment = await work.session.get_one(Deployment, restore.deployment_id)
        if DeploymentStatus(deployment.status).is_final:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    if deployment.status != DeploymentStatus.SUCCESS:
        reason = (deployment.error or {}).get("message", f"it is {deployment.status}")
        raise Unhealthy(f"The service {restore.service_name} could not be brought up: {reason}")


async def _feed(platform: Platform, subject: Subject, backup: Backup) -> None:
    command = backup_settings(backup.settings).restore_command
    instance = await find_running_instance(platform, subject)
    async with aclosing(platform.dumps.read(backup.id)) as chunks:
        code, output = await platform.orchestrator.feed_command(instance, command, chunks)
    if code != 0:
        said = output.strip() or "it printed no reason"
        raise CommandFailed(f"{command[0]} in {instance.name} ended with exit code {code}: {said}")


async def _check(platform: Platform, subject: Subject, restore: Restore) -> None:
    instance = await find_running_instance(platform, subject)
    code, output = await platform.orchestrator.execute(instance, restore.check_command, timeout_seconds=_CHECK_SECONDS)
    if code != 0:
        raise CommandFailed(f"The check {restore.check_command[0]} ended with exit code {code}: {output.strip()}")
