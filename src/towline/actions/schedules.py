"""Schedules of cron services: checked, and asked for their times; daylight saving is as in Debian's cron."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from towline.errors import InvalidInput
from towline.infra.lazily import load
from towline.values import ServiceType

_EXAMPLE: Final = 'Give five fields: minute, hour, day, month, weekday. "30 2 * * 1-5" is 02:30 on working days.'
_MOMENT: Final = timedelta(microseconds=1)


def check_schedule(service_type: str, run: Mapping[str, Any]) -> None:
    """Refuse a schedule that cannot be, one on another type of service, and a cron service without one."""
    schedule, zone = run.get("schedule") or "", run.get("time_zone") or "UTC"
    if service_type != ServiceType.CRON:
        if schedule:
            hint = "Leave the schedule out, or make it a service of type cron."
            raise InvalidInput(f"A service of type {service_type} has no schedule.", field="schedule", hint=hint)
        return
    if not schedule:
        raise InvalidInput("A cron service needs a schedule.", field="schedule", hint=_EXAMPLE)
    check_time_zone(zone)
    if find_next_time(schedule, zone, after=datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise InvalidInput(f"The schedule {schedule!r} never comes.", field="schedule", hint=_EXAMPLE)


def check_time_zone(name: str) -> None:
    """InvalidInput for a zone this machine does not know."""
    _zone(name)


def find_next_time(schedule: str, time_zone: str, *, after: datetime) -> datetime | None:
    """The first time of a schedule behind `after`; None when there is none any more."""
    return next(_times(schedule, time_zone, after=after), None)


def find_due_time(
    schedule: str, time_zone: str, *, since: datetime, now: datetime, lateness: timedelta
) -> datetime | None:
    """The last time of a schedule from `since` until now; None when that is longer ago than `lateness`, or none is."""
    due: datetime | None = None
    for time in _times(schedule, time_zone, after=max(since, now - lateness) - _MOMENT):
        if time > now:
            break
        due = time
    return due


def _times(schedule: str, time_zone: str, *, after: datetime) -> Iterator[datetime]:
    cronsim: Any = load("cronsim")
    try:
        times = cronsim.CronSim(schedule, after.astimezone(_zone(time_zone)))
    except cronsim.CronSimError as error:
        message = f"The schedule {schedule!r} is not a cron expression: {error}."
        raise InvalidInput(message, field="schedule", hint=_EXAMPLE) from error
    for time in times:
        yield time.astimezone(UTC)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = "Give a name of the IANA database, such as Europe/Berlin, or leave it out for UTC."
        raise InvalidInput(f"There is no time zone {name!r}.", field="time_zone", hint=hint) from error
