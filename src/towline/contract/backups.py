"""Dumps of databases, snapshots of volumes, and what is restored from them."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from towline.contract.base import (
    DEFAULT_ENVIRONMENT,
    Command,
    EnvironmentName,
    Model,
    Page,
    PageQuery,
    ShortText,
    Slug,
)

DUMP_MEDIA_TYPE: Final = "application/zstd"

BackupKind = Literal["dump", "snapshot"]
BackupStatus = Literal["queued", "running", "success", "failed"]
BackupTrigger = Literal["manual", "schedule", "deployment", "restore", "copy"]
RestoreKind = Literal["service", "test", "volume"]

_DumpSchedule = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z*/,\-#]+( [0-9A-Za-z*/,\-#]+){4}$", max_length=200)
]
_Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+\-/]+$", max_length=64)]


class BackupKeep(Model):
    """How many automatic dumps and snapshots are kept, each kind by itself; the newest always is."""

    number: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = Field(
        default=None, description="At most so many; 7 where neither is said."
    )
    days: Annotated[int, Field(strict=True, ge=1, le=3650)] | None = Field(
        default=None, description="None older than this."
    )


class BackupSettings(Model):
    """How a service is dumped and restored. Commands are argument lists, run inside the running instance."""

    command: Command = Field(
        default=[],
        description="Writes a dump to its standard output.",
        examples=[["pg_dump", "-U", "app", "app"]],
    )
    restore_command: Command = Field(default=[], description="Reads a dump from its standard input, in a new service.")
    check_command: Command = Field(default=[], description="Exits with 0 when a restored service is as it should be.")
    schedule: _DumpSchedule | None = Field(
        default=None, description="When it is dumped: five fields of cron; null: by hand only.", examples=["30 3 * * *"]
    )
    time_zone: _Zone = Field(default="UTC", description="Time zone of the schedule.", examples=["Europe/Berlin"])
    keep: BackupKeep = Field(default=BackupKeep(), description="What is kept of automatic ones.")
    snapshot: bool = Field(
        default=False, strict=True, description="Whether volumes are kept as snapshots before each deployment."
    )


class BackupCreate(Model):
    """A dump that is wanted now."""

    environment: EnvironmentName = DEFAULT_ENVIRONMENT


class BackupQuery(PageQuery):
    """Which backups are wanted."""

    service: Annotated[str, StringConstraints(max_length=80)] | None = Field(
        default=None, description="Of this service only, by id or name, also a deleted one."
    )
    kind: BackupKind | None = Field(default=None, description="Of this kind only.")


class Backup(Model):
    """A dump of a service or a snapshot of one of its volumes."""

    id: str = Field(description="Id.", examples=["bkp_01k9x3v5mdcq2r7s8t9vwxyz01"])
    kind: BackupKind = Field(description="`dump`: what the service's command wrote · `snapshot`: a volume as it was.")
    service_id: str = Field(description="Id of the service, which may be deleted.")
    service: str = Field(description="Name of the service then.")
    environment: str = Field(description="Name of the environment then.")
    volume: str = Field(default="", description="Name of the volume of a snapshot.")
    trigger: BackupTrigger = Field(description="Why it was taken.")
    status: BackupStatus = Field(description="Where it stands.")
    error: str = Field(default="", description="Why it failed, and what to do.")
    digest: str = Field(default="", description="SHA-256 of the content, unpacked.")
    size: int = Field(default=0, description="Bytes of the content, unpacked.")
    stored_size: int = Field(default=0, description="Bytes on the disk.")
    created_at: datetime = Field(description="When it was asked for.")
    finished_at: datetime | None = Field(default=None, description="When it ended.")
    test_status: Literal["", "running", "success", "failed"] = Field(
        default="", description="What the last test restore found; empty: never tested."
    )
    test_error: str = Field(default="", description="Why the test failed.")
    tested_at: datetime | None = Field(default=None, description="When it was tested.")


class BackupList(Page[Backup]):
    """Backups, newest first."""


class BackupRestore(Model):
    """A new service that shall be made of a backup."""

    name: Slug | None = Field(default=None, description="Name of the new service; null makes one of the old name.")
    environment: EnvironmentName = DEFAULT_ENVIRONMENT


class BackupTest(Model):
    """A restore into a service that is removed afterwards."""

    check_command: Command = Field(
        default=[], description="Arguments that exit with 0 when all is there; none: the service's own `check_command`."
    )


class Restore(Model):
    """A backup being brought back."""

    id: str = Field(description="Id.", examples=["rst_01k9x3v5mdcq2r7s8t9vwxyz01"])
    kind: RestoreKind = Field(
        description="`service`: into a new service · `test`: into one that is removed again · `volume`: into a volume."
    )
    backup_id: str | None = Field(description="Id of the backup; null when it was deleted since.")
    service_id: str = Field(description="Id of the service it goes to.")
    service: str = Field(description="Name of that service.")
    volume: str = Field(default="", description="Name of the volume, for one.")
    deployment_id: str | None = Field(default=None, description="Deployment that brings the new service up.")
    status: BackupStatus = Field(description="Where it stands.")
    error: str = Field(default="", description="Why it failed, and what to do.")
    created_at: datetime = Field(description="When it was asked for.")
    finished_at: datetime | None = Field(default=None, description="When it ended.")


class VolumeSize(Model):
    """A volume of a service in an environment."""

    service: str = Field(description="Name of the service.")
    environment: str = Field(description="Name of the environment.")
    name: str = Field(description="Name of the volume.")
    path: str = Field(description="Where it is mounted.")
    is_there: bool = Field(description="Whether it was made already, by the first deployment.")
    size: int | None = Field(default=None, description="Bytes; null when they could not be counted in time.")


class VolumeList(Model):
    """Volumes of a project."""

    items: list[VolumeSize] = Field(description="By service and environment.")


class VolumeSnapshot(Model):
    """A snapshot that is wanted now; the volume may be in use meanwhile."""

    environment: EnvironmentName = DEFAULT_ENVIRONMENT


class VolumeRestore(Model):
    """A volume that shall become what a snapshot holds; the service is stopped meanwhile."""

    backup: ShortText = Field(description="Id of the snapshot.")
    environment: EnvironmentName = DEFAULT_ENVIRONMENT


class VolumeCopy(Model):
    """A copy of a volume's content into another environment, over what is there."""

    to_environment: Slug = Field(description="Name of the environment that gets it.")
    environment: EnvironmentName = DEFAULT_ENVIRONMENT
