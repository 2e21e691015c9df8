"""Asking for a restore: into a new service, never over the old one; into one that is removed again; into a volume."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from towline.actions.access import Caller
from towline.actions.backups.freezing import thaw_settings, thaw_variables
from towline.actions.backups.requests import BELL, add_backup, check_volume
from towline.actions.backups.settings import backup_settings
from towline.actions.backups.subjects import Subject, lock_subject
from towline.actions.configuration.places import Place as VariablePlace
from towline.actions.configuration.settings import set_variables
from towline.actions.deploying import Place, Wanted, deploy
from towline.actions.platform import Platform
from towline.actions.services import create_service
from towline.actions.sleep import LIVE
from towline.errors import Conflict, InvalidInput, NotFound
from towline.infra.database import Work
from towline.models.backups import Backup, Restore
from towline.models.deployments import Deployment
from towline.models.projects import Project
from towline.names import new_id
from towline.values import OPEN_STATUSES

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class WantedRestore:
    """Where a backup shall go; no name makes one of the old service's."""

    name: str = ""
    environment: str = "production"
    is_test: bool = False
    check_command: Sequence[str] = ()


async def request_restore(
    platform: Platform, work: Work, project: Project, backup: Backup, *, wanted: WantedRestore, caller: Caller
) -> Restore:
    """Make a new service of the backup's settings and variables, and queue the restore of its content."""
    _check_restorable(backup)
    name = wanted.name or _name_for(backup, is_test=wanted.is_test)
    service = await create_service(
        platform, work, project, {"name": name, **thaw_settings(backup, is_test=wanted.is_test)}
    )
    variables = thaw_variables(platform, backup, name=name)
    await set_variables(platform, work, VariablePlace(project, service), variables, caller=caller)
    subject = await lock_subject(work, project=project, service=service, environment=wanted.environment)
    restore = _new_restore(backup, subject, caller, kind="test" if wanted.is_test else "service")
    restore.check_command = list(wanted.check_command or backup_settings(backup.settings).check_command)
    if backup.kind == "dump":
        place = Place(project, service, subject.environment)
        restore.deployment_id = (await deploy(platform, work, place, wanted=Wanted(), caller=caller)).id
    if wanted.is_test:
        backup.test_status, backup.test_error = "running", ""
    return await _queue(platform, work, restore)


async def request_volume_restore(
    platform: Platform, work: Work, subject: Subject, *, volume: str, snapshot: Backup, caller: Caller
) -> Restore:
    """Queue that a volume becomes what a snapshot holds; the service is stopped meanwhile, and what was is kept."""
    if snapshot.kind != "snapshot":
        raise InvalidInput(f"{snapshot.id} is no snapshot of a volume; restore it into a new service.", field="backup")
    _check_taken(snapshot)
    return await _request_into_volume(platform, work, subject, volume=volume, snapshot=snapshot, caller=caller)


async def request_copy(
    platform: Platform, work: Work, source: Subject, *, volume: str, target: Subject, caller: Caller
) -> Restore:
    """Queue a copy of a volume's content into the same service's volume in another environment."""
    if source.workload.id == target.workload.id:
        raise InvalidInput("A volume cannot be copied onto itself.", field="to_environment")
    check_volume(source, volume)
    if source.workload.release_id is None:
        raise Conflict(f"{source.service.name} was never deployed in {source.environment.name}.")
    snapshot = await add_backup(
        platform,
        work,
        source,
        kind="snapshot",
        trigger="copy",
        volume=volume,
        requested_by=caller.user_id,
    )
    return await _request_into_volume(platform, work, target, volume=volume, snapshot=snapshot, caller=caller)


async def get_restore(work: Work, project_id: str, restore_id: str) -> Restore:
    """A project's restore; NotFound otherwise."""
    query = select(Restore).where(Restore.id == restore_id, Restore.project_id == project_id)
    restore = (await work.session.scalars(query)).one_or_none()
    if restore is None:
        raise NotFound(f"The project has no restore {restore_id!r}.")
    return restore


async def _request_into_volume(
    platform: Platform, work: Work, subject: Subject, *, volume: str, snapshot: Backup, caller: Caller
) -> Restore:
    check_volume(subject, volume)
    workload = subject.workload
    deploying = select(Deployment.id).where(Deployment.workload_id == workload.id, Deployment.status.in_(OPEN_STATUSES))
    if await work.session.scalar(deploying.limit(1)) is not None:
        raise Conflict(f"{subject.service.name} is being deployed.", hint="Wait until that has ended.")
    restoring = select(Restore.id).where(Restore.workload_id == workload.id, Restore.status.in_(("queued", "running")))
    if await work.session.scalar(restoring.limit(1)) is not None:
        raise Conflict(f"A volume of {subject.service.name} is being restored already.")
    restore = _new_restore(snapshot, subject, caller, kind="volume", volume=volume)
    restore.was_running = workload.wanted in LIVE and workload.release_id is not None
    if restore.was_running:
        workload.wanted = "stopped"
        work.after_commit(lambda: platform.bell.ring(f"reconcile {workload.id}"))
    return await _queue(platform, work, restore)


def _new_restore(backup: Backup, subject: Subject, caller: Caller, *, kind: str, volume: str = "") -> Restore:
    return Restore(
        id=new_id("rst"),
        project_id=backup.project_id,
        backup_id=backup.id,
        kind=kind,
        service_id=subject.service.id,
        service_name=subject.service.name,
        environment_id=subject.environment.id,
        workload_id=subject.workload.id,
        volume=volume or backup.volume,
        check_command=[],
        requested_by=caller.user_id,
    )


async def _queue(platform: Platform, work: Work, restore: Restore) -> Restore:
    work.session.add(restore)
    await work.session.flush()
    work.after_commit(lambda: platform.bell.ring(BELL))
    return restore


def _check_restorable(backup: Backup) -> None:
    _check_taken(backup)
    if backup.kind == "dump" and not backup_settings(backup.settings).restore_command:
        raise InvalidInput(
            f"{backup.service_name} had no command that reads a dump when {backup.id} was taken.",
            hint="Download the dump, and load it yourself.",
            field="backup.restore_command",
        )


def _check_taken(backup: Backup) -> None:
    if backup.status != "success":
        raise Conflict(f"The backup {backup.id} holds nothing: it is {backup.status}.", hint="Take another one.")


def _name_for(backup: Backup, *, is_test: bool) -> str:
    tail = f"-{'test' if is_test else 'restored'}-{secrets.token_hex(3)}"
    return backup.service_name[: _LONGEST_NAME - len(tail)].rstrip("-") + tail
