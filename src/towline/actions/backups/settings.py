"""How a service is dumped and restored, read from the JSON that rows keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from towline.actions.schedules import check_time_zone, find_next_time
from towline.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Names are those of contract.backups."""

    command: tuple[str, ...] = ()
    restore_command: tuple[str, ...] = ()
    check_command: tuple[str, ...] = ()
    schedule: str = ""
    time_zone: str = "UTC"
    keep_number: int | None = None
    keep_days: int | None = None
    snapshot: bool = False


def backup_settings(run: Mapping[str, Any]) -> BackupSettings:
    """The settings in a service's or release's `run`; nothing of it where nothing was said."""
    stored: Mapping[str, Any] = run.get("backup") or {}
    keep: Mapping[str, Any] = stored.get("keep") or {}
    return BackupSettings(
        command=tuple(stored.get("command") or ()),
        restore_command=tuple(stored.get("restore_command") or ()),
        check_command=tuple(stored.get("check_command") or ()),
        schedule=stored.get("schedule") or "",
        time_zone=stored.get("time_zone") or "UTC",
        keep_number=keep.get("number"),
        keep_days=keep.get("days"),
        snapshot=bool(stored.get("snapshot")),
    )


def check_backup_settings(run: Mapping[str, Any]) -> None:
    """Return when the dumps can be taken as said; InvalidInput naming the field otherwise."""
    settings = backup_settings(run)
    if not settings.schedule:
        return
    if not settings.command:
        raise InvalidInput("A schedule of dumps needs a command that writes one.", field="backup.command")
    try:
        check_time_zone(settings.time_zone)
        has_time = find_next_time(settings.schedule, settings.time_zone, after=datetime(2000, 1, 1, tzinfo=UTC))
    except InvalidInput as error:
        raise InvalidInput(error.message, hint=error.hint, field=f"backup.{error.field}") from error
    if has_time is None:
        raise InvalidInput(f"The schedule {settings.schedule!r} never comes.", field="backup.schedule")
