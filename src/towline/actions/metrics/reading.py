"""Reading what a workload used, and how often it was well, in steps that fit a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Interval, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from towline.infra.database import Work
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

    def step_of(self, column: Any) -> Any:
        """The beginning of the step that a time of a row is in."""
        return func.date_bin(literal(self.step, Interval()), column, literal(self.begins_at))


async def read_samples(work: Work, workload_id: str, window: Window) -> Sequence[Mapping[str, Any]]:
    """Means of each step that has samples, oldest first."""
    mine = (MetricSample.workload_id == workload_id, MetricSample.sampled_at >= window.begins_at)
    rows = select(MetricSample.__table__, window.step_of(MetricSample.sampled_at).label("at")).where(*mine).subquery()
    columns = rows.c
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
    found = await work.session.execute(query.group_by(columns.at).order_by(columns.at))
    return [dict(row) for row in found.mappings()]


async def read_response_times(work: Work, workload_id: str, window: Window) -> Mapping[datetime, float]:
    """Mean response time of the monitor's own checks in milliseconds, by step."""
    mine = (HealthCheck.workload_id == workload_id, HealthCheck.checked_at >= window.begins_at)
    rows = select(HealthCheck.response_ms, window.step_of(HealthCheck.checked_at).label("at")).where(*mine).subquery()
    query = select(rows.c.at, func.avg(rows.c.response_ms)).where(rows.c.response_ms.is_not(None)).group_by(rows.c.at)
    return {at: float(mean) for at, mean in await work.session.execute(query)}


async def read_uptime(work: Work, workload_id: str, window: Window) -> Mapping[datetime, Mapping[str, Any]]:
    """How often each verdict was given, by step, and the last error said there."""
    mine = (HealthCheck.workload_id == workload_id, HealthCheck.checked_at >= window.begins_at)
    rows = (
        select(HealthCheck.status, HealthCheck.error, HealthCheck.checked_at)
        .add_columns(window.step_of(HealthCheck.checked_at).label("at"))
        .where(*mine)
        .subquery()
    )
    counts = [
        func.count().filter(rows.c.status == status).label(status)
        for status in ("healthy", "degraded", "unhealthy", "unknown")
    ]
    errors = func.array_agg(aggregate_order_by(rows.c.error, rows.c.checked_at.desc())).filter(rows.c.error != "")
    query = select(rows.c.at, *counts, errors[1].label("error")).group_by(rows.c.at)
    return {row["at"]: dict(row) for row in (await work.session.execute(query)).mappings()}
