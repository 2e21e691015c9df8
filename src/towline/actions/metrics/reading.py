"""Reading what a workload used, and how often it was well, in steps that fit a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, DateTime, Interval, Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from towline.infra.database import Work
from towline.infra.reads import Read
from towline.models.base import utc_now
from towline.models.history import HealthCheck
from towline.models.metrics import MetricSample

STEPS: Final[Mapping[str, tuple[timedelta, timedelta]]] = {
    "1h": (timedelta(hours=1), timedelta(minutes=1)),
    "6h": (timedelta(hours=6), timedelta(minutes=5)),
    "24h": (timedelta(days=1), timedelta(minutes=15)),
    "7d": (timedelta(days=7), timedelta(hours=1)),
}
"""How far back each choice goes, and the length of one step."""

BARS: Final[Mapping[str, tuple[timedelta, timedelta]]] = {
    "24h": (timedelta(days=1), timedelta(minutes=30)),
    "7d": (timedelta(days=7), timedelta(hours=2)),
}
"""The same for uptime."""


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is looked at: whole steps from `begins_at` on, the last of which holds this moment."""

    begins_at: datetime
    step: timedelta
    count: int

    @classmethod
    def until_now(cls, length: timedelta, step: timedelta) -> "Window":
        """The window that ends with the step of this moment; steps begin at full hours, or parts of them."""
        now, seconds = utc_now(), int(step.total_seconds())
        current = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, now.tzinfo)
        count = int(length / step)
        return cls(current - step * (count - 1), step, count)

    def of(self, workload_id: str) -> dict[str, Any]:
        """What fills the statements below."""
        return {"workload_id": workload_id, "step": self.step, "begins_at": self.begins_at}


async def read_samples(work: Work, workload_id: str, window: Window) -> Sequence[Mapping[str, Any]]:
    """Means of each step that has samples, oldest first."""
    return [dict(row) for row in await _samples().fetch_in(work, **window.of(workload_id))]


async def read_response_times(work: Work, workload_id: str, window: Window) -> Mapping[datetime, float]:
    """Mean response time of the monitor's own checks in milliseconds, by step."""
    found = await _response_times().fetch_in(work, **window.of(workload_id))
    return {row["at"]: float(row["mean"]) for row in found}


async def read_uptime(work: Work, workload_id: str, window: Window) -> Mapping[datetime, Mapping[str, Any]]:
    """How often each verdict was given, by step, and the last error said there."""
    return {row["at"]: dict(row) for row in await _uptime().fetch_in(work, **window.of(workload_id))}


_STEP: Final = bindparam("step", type_=Interval())
_BEGINS_AT: Final = bindparam("begins_at", type_=DateTime(timezone=True))
_WORKLOAD: Final = bindparam("workload_id", type_=Text())


def _step_of(column: Any) -> Any:
    """The beginning of the step that a time of a row is in."""
    return func.date_bin(_STEP, column, _BEGINS_AT).label("at")


@cache
def _samples() -> Read:
    """Made once, as all statements here: making one takes longer than running it."""
    mine = (MetricSample.workload_id == _WORKLOAD, MetricSample.sampled_at >= _BEGINS_AT)
    columns = select(MetricSample.__table__, _step_of(MetricSample.sampled_at)).where(*mine).subquery().c
    means = [
        func.avg(columns[name]).label(name)
        for name in ("cpu", "received_rate", "sent_rate", "request_rate", "failure_rate", "request_ms")
    ]
    query = select(
        columns.at,
        func.max(columns.instances).label("instances"),
        func.round(func.avg(columns.memory_bytes)).label("memory_bytes"),
        func.max(columns.memory_limit_bytes).label("memory_limit_bytes"),
        *means,
    )
    return Read(query.group_by(columns.at).order_by(columns.at))


@cache
def _response_times() -> Read:
    rows = select(HealthCheck.response_ms, _step_of(HealthCheck.checked_at)).where(*_checks()).subquery()
    means = select(rows.c.at, func.avg(rows.c.response_ms).label("mean")).where(rows.c.response_ms.is_not(None))
    return Read(means.group_by(rows.c.at))


@cache
def _uptime() -> Read:
    columns = (HealthCheck.status, HealthCheck.error, HealthCheck.checked_at, _step_of(HealthCheck.checked_at))
    rows = select(*columns).where(*_checks()).subquery()
    counts = [
        func.count().filter(rows.c.status == status).label(status)
        for status in ("healthy", "degraded", "unhealthy", "unknown")
    ]
    errors = func.array_agg(aggregate_order_by(rows.c.error, rows.c.checked_at.desc())).filter(rows.c.error != "")
    return Read(select(rows.c.at, *counts, errors[1].label("error")).group_by(rows.c.at))


def _checks() -> tuple[ColumnElement[bool], ...]:
    return HealthCheck.workload_id == _WORKLOAD, HealthCheck.checked_at >= _BEGINS_AT
