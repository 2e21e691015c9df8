"""Sampling what workloads use: every running instance and every route at each health interval."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import insert, select

from towline.actions.platform import Platform
from towline.actions.routes import route_key
from towline.errors import TowlineError
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.metrics import MetricSample
from towline.models.services import Route, Workload
from towline.routing.base import RequestTotals
from towline.values import Instance, InstanceState, ResourceUsage

_AT_ONCE: Final = 20
_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Use:
    """What one instance uses; rates in bytes per second, None at the first look."""

    usage: ResourceUsage
    received_rate: float | None
    sent_rate: float | None


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of a workload since the look before."""

    rate: float = 0.0
    failure_rate: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Requests") -> "Requests":
        return Requests(self.rate + other.rate, self.failure_rate + other.failure_rate, self.seconds + other.seconds)


class Sampler:
    """Remembers the totals of its last look, since rates are what differs between two."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._network: dict[str, tuple[float, ResourceUsage]] = {}
        self._requests: Mapping[str, RequestTotals] | None = None
        self._requests_at = 0.0

    async def run(self) -> int:
        """One sample of each workload with running instances; how many those were."""
        instances = await self._platform.orchestrator.list_instances()
        running = [one for one in instances if one.state is InstanceState.RUNNING]
        limit = asyncio.Semaphore(_AT_ONCE)
        uses = await asyncio.gather(*(self._measure(one, limit) for one in running))
        self._network = {one.id: self._network[one.id] for one in running if one.id in self._network}
        workloads: dict[str, list[Use]] = defaultdict(list)
        for instance, use in zip(running, uses, strict=True):
            if use is not None:
                workloads[instance.workload_id].append(use)
        requests = await self._count_requests()
        async with self._platform.database.transaction() as work:
            return await _store(work, workloads, requests)

    async def _measure(self, instance: Instance, limit: asyncio.Semaphore) -> Use | None:
        """What an instance uses; None when it is gone meanwhile, or its engine does not say so in time."""
        try:
            async with limit, asyncio.timeout(_LOOK_SECONDS):
                usage = await self._platform.orchestrator.get_usage(instance)
        except (TowlineError, TimeoutError):
            return None
        before, now = self._network.get(instance.id), time.monotonic()
        self._network[instance.id] = (now, usage)
        if before is None:
            return Use(usage, None, None)
        elapsed = max(now - before[0], 1e-3)
        return Use(
            usage,
            received_rate=max(0, usage.received_bytes - before[1].received_bytes) / elapsed,
            sent_rate=max(0, usage.sent_bytes - before[1].sent_bytes) / elapsed,
        )

    async def _count_requests(self) -> Mapping[str, Requests] | None:
        """Requests since the last look by route key; None where the router does not tell, and at the first look."""
        try:
            totals = await self._platform.router.get_request_totals()
        except TowlineError:
            return None
        before, began_at = self._requests, self._requests_at
        self._requests, self._requests_at = totals, time.monotonic()
        if not totals or before is None:
            return None
        elapsed = max(self._requests_at - began_at, 1e-3)
        return {key: _between(before.get(key, RequestTotals()), now, elapsed) for key, now in totals.items()}


def _between(before: RequestTotals, now: RequestTotals, elapsed: float) -> Requests:
    """A router that was started again counts from nought."""
    if now.requests < before.requests:
        before = RequestTotals()
    return Requests(
        rate=(now.requests - before.requests) / elapsed,
        failure_rate=max(0, now.failures - before.failures) / elapsed,
        seconds=max(0.0, now.seconds - before.seconds) / elapsed,
    )


async def _store(work: Work, workloads: Mapping[str, Sequence[Use]], requests: Mapping[str, Requests] | None) -> int:
    # Held until the samples are there: a workload that is deleted meanwhile would take their key away.
    held = select(Workload.id).where(Workload.id.in_(workloads)).order_by(Workload.id)
    ids = (await work.session.scalars(held.with_for_update(read=True, key_share=True))).all()
    if not ids:
        return 0
    by_workload = None if requests is None else await _by_workload(work, requests, ids)
    now = utc_now()
    rows = [
        {"workload_id": one, "sampled_at": now, "is_thinned": False}
        | _sum_of(workloads[one])
        | _facts_of(None if by_workload is None else by_workload.get(one, Requests()))
        for one in ids
    ]
    await work.session.execute(insert(MetricSample), rows)
    return len(rows)


async def _by_workload(work: Work, requests: Mapping[str, Requests], ids: Sequence[str]) -> Mapping[str, Requests]:
    found: dict[str, Requests] = {}
    routes = select(Route.id, Route.workload_id).where(Route.workload_id.in_(ids))
    for route_id, workload_id in await work.session.execute(routes):
        found[workload_id] = found.get(workload_id, Requests()) + requests.get(route_key(route_id), Requests())
    return found


def _sum_of(uses: Sequence[Use]) -> dict[str, Any]:
    received = [use.received_rate for use in uses if use.received_rate is not None]
    sent = [use.sent_rate for use in uses if use.sent_rate is not None]
    return {
        "instances": len(uses),
        "cpu": sum(use.usage.cpu for use in uses),
        "memory_bytes": sum(use.usage.memory_bytes for use in uses),
        "memory_limit_bytes": sum(use.usage.memory_limit_bytes for use in uses),
        "received_rate": sum(received) if received else None,
        "sent_rate": sum(sent) if sent else None,
    }


def _facts_of(requests: Requests | None) -> dict[str, Any]:
    if requests is None:
        return {"request_rate": None, "failure_rate": None, "request_ms": None}
    mean = 1000 * requests.seconds / requests.rate if requests.rate else None
    return {"request_rate": requests.rate, "failure_rate": requests.failure_rate, "request_ms": mean}
