"""HTTP: dumps, snapshots, restores and volumes."""

from typing import cast

from starlette.responses import Response, StreamingResponse

from towline.actions.access import Permission
from towline.actions.backups.requests import (
    delete_backup,
    get_backup,
    list_backups,
    request_dump,
    request_snapshot,
)
from towline.actions.backups.subjects import Subject, lock_subject
from towline.actions.backups.volumes import list_volumes
from towline.actions.restores.requests import (
    WantedRestore,
    get_restore,
    request_copy,
    request_restore,
    request_volume_restore,
)
from towline.contract.backups import (
    DUMP_MEDIA_TYPE,
    Backup,
    BackupCreate,
    BackupKind,
    BackupList,
    BackupQuery,
    BackupRestore,
    BackupStatus,
    BackupTest,
    BackupTrigger,
    Restore,
    RestoreKind,
    VolumeCopy,
    VolumeList,
    VolumeRestore,
    VolumeSize,
    VolumeSnapshot,
)
from towline.errors import Conflict
from towline.models.backups import Backup as BackupRow
from towline.models.backups import Restore as RestoreRow
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("backups.list")
async def list_(call: Call, query: BackupQuery) -> BackupList:
    """Backups of a project, newest first."""
    after = decode_cursor(query.cursor, str)
    rows = await list_backups(
        call.work,
        call.project.id,
        service=query.service,
        kind=query.kind,
        before=after[0] if after is not None else None,
        limit=query.limit + 1,
    )
    page = page_of(list(rows), limit=query.limit, key=_key)
    return BackupList(items=[_shown(row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("backups.create")
async def create(call: Call, body: BackupCreate) -> Backup:
    """Queue a dump."""
    await _also_deploy(call)
    subject = await _lock(call, body.environment)
    backup = await request_dump(call.platform, call.work, subject, requested_by=call.caller.user_id)
    call.note(backup.id)
    return _shown(backup)


@router.operation("backups.get")
async def get(call: Call) -> Backup:
    """One backup."""
    return _shown(await _get(call))


@router.operation("backups.download")
async def download(call: Call) -> Response:
    """The content, as it is stored."""
    backup = await _get(call)
    if backup.status != "success":
        raise Conflict(f"The backup {backup.id} holds nothing: it is {backup.status}.")
    tail = "tar" if backup.kind == "snapshot" else "dump"
    headers = {
        "Content-Disposition": f'attachment; filename="{backup.service_name}-{backup.id}.{tail}.zst"',
        "Content-Length": str(backup.stored_size),
        "X-Accel-Buffering": "no",
    }
    return StreamingResponse(call.platform.dumps.download(backup.id), media_type=DUMP_MEDIA_TYPE, headers=headers)


@router.operation("backups.delete")
async def delete(call: Call) -> None:
    """Delete one with its content."""
    backup = await _get(call)
    call.note(backup.id, service=backup.service_name)
    await delete_backup(call.platform, call.work, backup)


@router.operation("backups.restore")
async def restore(call: Call, body: BackupRestore) -> Restore:
    """Make a new service of it."""
    wanted = WantedRestore(body.name or "", body.environment)
    return await _restore(call, wanted)


@router.operation("backups.test")
async def test(call: Call, body: BackupTest) -> Restore:
    """Try whether it can be restored."""
    return await _restore(call, WantedRestore(is_test=True, check_command=body.check_command))


@router.operation("restores.get")
async def get_one_restore(call: Call) -> Restore:
    """How far a restore is."""
    return _shown_restore(await get_restore(call.work, call.project.id, call.path["restore"]))


@router.operation("volumes.list", holds_transaction=False)
async def volumes(call: Call) -> VolumeList:
    """Volumes with their size."""
    found = await list_volumes(call.platform, call.project.id)
    return VolumeList(
        items=[
            VolumeSize(
                service=one.service,
                environment=one.environment,
                name=one.name,
                path=one.path,
                is_there=one.is_there,
                size=one.size,
            )
            for one in found
        ]
    )


@router.operation("volumes.snapshot")
async def snapshot(call: Call, body: VolumeSnapshot) -> Backup:
    """Queue a snapshot of a volume."""
    subject = await _lock(call, body.environment)
    backup = await request_snapshot(
        call.platform, call.work, subject, call.path["volume"], requested_by=call.caller.user_id
    )
    call.note(backup.id, volume=backup.volume)
    return _shown(backup)


@router.operation("volumes.restore")
async def restore_volume(call: Call, body: VolumeRestore) -> Restore:
    """Queue that a volume becomes what a snapshot holds."""
    await _also_deploy(call)
    subject = await _lock(call, body.environment)
    found = await get_backup(call.work, call.project.id, body.backup)
    made = await request_volume_restore(
        call.platform, call.work, subject, volume=call.path["volume"], snapshot=found, caller=call.caller
    )
    call.note(made.id, backup=found.id, volume=made.volume)
    return _shown_restore(made)


@router.operation("volumes.copy")
async def copy_volume(call: Call, body: VolumeCopy) -> Restore:
    """Queue a copy into another environment."""
    await _also_deploy(call)
    subject = await _lock(call, body.environment)
    target = await _lock(call, body.to_environment)
    made = await request_copy(
        call.platform, call.work, subject, volume=call.path["volume"], target=target, caller=call.caller
    )
    call.note(made.id, volume=made.volume, to=target.environment.name)
    return _shown_restore(made)


async def _also_deploy(call: Call) -> None:
    """What stops, starts or deploys services, or runs a command in them, needs that permission as well."""
    await call.get_project(call.project.id, permission=Permission.DEPLOY)


async def _lock(call: Call, environment: str) -> Subject:
    return await lock_subject(call.work, project=call.project, service=call.service, environment=environment)


async def _get(call: Call) -> BackupRow:
    return await get_backup(call.work, call.project.id, call.path["backup"])


async def _restore(call: Call, wanted: WantedRestore) -> Restore:
    await _also_deploy(call)
    backup = await _get(call)
    made = await request_restore(call.platform, call.work, call.project, backup, wanted=wanted, caller=call.caller)
    call.note(made.id, backup=backup.id, service=made.service_name)
    return _shown_restore(made)


def _key(row: BackupRow) -> tuple[str]:
    return (row.id,)


def _shown(row: BackupRow) -> Backup:
    return Backup(
        id=row.id,
        kind=cast("BackupKind", row.kind),
        service_id=row.service_id,
        service=row.service_name,
        environment=row.environment_name,
        volume=row.volume,
        trigger=cast("BackupTrigger", row.trigger),
        status=cast("BackupStatus", row.status),
        error=row.error,
        digest=row.digest or "",
        size=row.size or 0,
        stored_size=row.stored_size or 0,
        created_at=row.created_at,
        finished_at=row.finished_at,
        test_status=cast("BackupStatus", row.test_status),  # pyright: ignore[reportArgumentType] - none is queued
        test_error=row.test_error,
        tested_at=row.tested_at,
    )


def _shown_restore(row: RestoreRow) -> Restore:
    return Restore(
        id=row.id,
        kind=cast("RestoreKind", row.kind),
        backup_id=row.backup_id,
        service_id=row.service_id,
        service=row.service_name,
        volume=row.volume,
        deployment_id=row.deployment_id,
        status=cast("BackupStatus", row.status),
        error=row.error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
