"""Verdicts: what the looks at the instances of a workload say of it as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from towline.models.services import Workload
from towline.values import HealthCheck, HealthStatus


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look at a workload found."""

    workload: Workload
    status: HealthStatus
    response_ms: float | None
    error: str


def verdict_of(workload: Workload, checks: Sequence[HealthCheck]) -> Verdict:
    """Healthy when every wanted instance is, unhealthy when none is, degraded between."""
    healthy = [check for check in checks if check.status is HealthStatus.HEALTHY]
    times = [check.response_time.total_seconds() * 1000 for check in healthy if check.response_time is not None]
    response_ms = round(sum(times) / len(times), 2) if times else None
    error = next((check.error for check in checks if check.error), "")
    if not healthy:
        return Verdict(workload, HealthStatus.UNHEALTHY, None, error or workload.health_error or "No instance runs.")
    if len(healthy) < workload.replicas:
        problem = error or f"{len(healthy)} of {workload.replicas} instances run."
        return Verdict(workload, HealthStatus.DEGRADED, response_ms, problem)
    return Verdict(workload, HealthStatus.HEALTHY, response_ms, "")
