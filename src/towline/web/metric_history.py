"""HTTP: what a service used over time, and how often it was well."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from towline.actions.metrics.reading import (
    BARS,
    STEPS,
    Window,
    read_response_times,
    read_samples,
    read_uptime,
)
from towline.actions.status import find_workload_id
from towline.contract.metrics import MetricHistory, MetricPoint, MetricQuery, Uptime, UptimeBar, UptimeQuery
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("metrics.history")
async def list_metrics(call: Call, query: MetricQuery) -> MetricHistory:
    """CPU, memory, network, requests and response times of all instances together."""
    window = Window.until_now(*STEPS[query.range])
    workload_id = await find_workload_id(call.work, service=call.service, environment=query.environment)
    points: list[MetricPoint] = []
    if workload_id is not None:
        times = await read_response_times(call.work, workload_id, window)
        samples = await read_samples(call.work, workload_id, window)
        points = [MetricPoint(**sample, response_ms=times.get(sample["at"])) for sample in samples]
    return MetricHistory(points=points, **_bounds(window))


@router.operation("health.uptime")
async def get_uptime(call: Call, query: UptimeQuery) -> Uptime:
    """The monitor's verdicts counted by steps."""
    window = Window.until_now(*BARS[query.range])
    workload_id = await find_workload_id(call.work, service=call.service, environment=query.environment)
    found: Mapping[datetime, Mapping[str, Any]] = {}
    if workload_id is not None:
        found = await read_uptime(call.work, workload_id, window)
    begins = [window.begins_at + window.step * number for number in range(window.count)]
    bars = [_bar(at, found.get(at, {})) for at in begins]
    return Uptime(uptime=_share(bars), bars=bars, **_bounds(window))


def _bar(at: datetime, counts: Any) -> UptimeBar:
    return UptimeBar.model_validate({**{name: value for name, value in counts.items() if value is not None}, "at": at})


def _share(bars: list[UptimeBar]) -> float | None:
    well, ill = sum(bar.healthy + bar.degraded for bar in bars), sum(bar.unhealthy for bar in bars)
    return well / (well + ill) if well + ill else None


def _bounds(window: Window) -> dict[str, Any]:
    return {
        "begins_at": window.begins_at,
        "ends_at": window.begins_at + window.step * window.count,
        "step_seconds": int(window.step.total_seconds()),
    }
