"""Operations of backups, restores and volumes."""

from typing import Final

from towline.contract.backups import (
    DUMP_MEDIA_TYPE,
    Backup,
    BackupCreate,
    BackupList,
    BackupQuery,
    BackupRestore,
    BackupTest,
    Restore,
    VolumeCopy,
    VolumeList,
    VolumeRestore,
    VolumeSnapshot,
)
from towline.contract.base import Model
from towline.contract.operations import Operation, delete, read

_PROJECT: Final = "/projects/{project}"
_BACKUP: Final = "/projects/{project}/backups/{backup}"
_SERVICE: Final = "/projects/{project}/services/{service}"


def _accept(operation_id: str, path: str, *, takes: type[Model], gives: type[Model], summary: str) -> Operation:
    return Operation(operation_id, "POST", path, summary, "manage_services", request=takes, response=gives, status=202)


BACKUP_OPERATIONS: Final = (
    read(
        "backups.list",
        f"{_PROJECT}/backups",
        needs="view_projects",
        gives=BackupList,
        query=BackupQuery,
        summary="List dumps and snapshots of a project",
    ),
    _accept(
        "backups.create",
        f"{_SERVICE}/backups",
        takes=BackupCreate,
        gives=Backup,
        summary="Dump a service now",
    ),
    read("backups.get", _BACKUP, needs="view_projects", gives=Backup, summary="Show a dump or snapshot"),
    Operation(
        "backups.download",
        "GET",
        f"{_BACKUP}/content",
        "Download a dump or snapshot, packed by zstd",
        "manage_services",
        media_type=DUMP_MEDIA_TYPE,
    ),
    delete("backups.delete", _BACKUP, needs="manage_services", summary="Delete a dump or snapshot"),
    _accept(
        "backups.restore",
        f"{_BACKUP}/restore",
        takes=BackupRestore,
        gives=Restore,
        summary="Restore into a new service",
    ),
    _accept(
        "backups.test",
        f"{_BACKUP}/test",
        takes=BackupTest,
        gives=Restore,
        summary="Restore into a service that is removed afterwards, and keep the result",
    ),
    read(
        "restores.get",
        f"{_PROJECT}/restores/{{restore}}",
        needs="view_projects",
        gives=Restore,
        summary="Show how far a restore is",
    ),
    read(
        "volumes.list",
        f"{_PROJECT}/volumes",
        needs="view_projects",
        gives=VolumeList,
        summary="List volumes of a project with their size",
    ),
    _accept(
        "volumes.snapshot",
        f"{_SERVICE}/volumes/{{volume}}/snapshot",
        takes=VolumeSnapshot,
        gives=Backup,
        summary="Keep a volume as it is now",
    ),
    _accept(
        "volumes.restore",
        f"{_SERVICE}/volumes/{{volume}}/restore",
        takes=VolumeRestore,
        gives=Restore,
        summary="Make a volume what a snapshot holds",
    ),
    _accept(
        "volumes.copy",
        f"{_SERVICE}/volumes/{{volume}}/copy",
        takes=VolumeCopy,
        gives=Restore,
        summary="Copy a volume's content into another environment",
    ),
)
