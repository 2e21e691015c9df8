"""Health of what a service needs: while something of that is down, the service itself is at best degraded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import aliased

from towline.actions.graph.order import needs_of
from towline.actions.sleep import LIVE
from towline.actions.verdicts import Verdict
from towline.infra.database import Work
from towline.models.groups import ServiceDependency
from towline.models.services import Service, Workload
from towline.values import HealthStatus, ServiceType


@dataclass(frozen=True, slots=True)
class Needs:
    """Who needs whom, by id of the service, in words, and which services somebody has stopped where."""

    graph: Mapping[str, frozenset[str]]
    names: Mapping[str, str]
    stopped: frozenset[tuple[str, str]]
    """Pairs of environment and service."""


def with_needs(verdicts: Sequence[Verdict], needs: Needs) -> list[Verdict]:
    """The verdicts, with healthy services degraded where something they need, directly or not, is down."""
    down = {
        (verdict.workload.environment_id, verdict.workload.service_id): verdict.error
        for verdict in verdicts
        if verdict.status is HealthStatus.UNHEALTHY
    }
    return [_with_needs(verdict, needs, down) for verdict in verdicts]


def _with_needs(verdict: Verdict, needs: Needs, down: Mapping[tuple[str, str], str]) -> Verdict:
    if verdict.status is not HealthStatus.HEALTHY or verdict.workload.service_id not in needs.graph:
        return verdict
    environment = verdict.workload.environment_id
    for need in sorted(needs_of(needs.graph, [verdict.workload.service_id]), key=lambda one: needs.names[one]):
        name = needs.names[need]
        if (environment, need) in needs.stopped:
            return replace(verdict, status=HealthStatus.DEGRADED, error=f"{name}, which it needs, is stopped.")
        if (environment, need) in down:
            reason = f"{name}, which it needs, is down: {down[environment, need]}"
            return replace(verdict, status=HealthStatus.DEGRADED, error=reason)
    return verdict


async def read_needs(work: Work) -> Needs:
    """Every dependency of the instance; nothing when there is none."""
    needed = aliased(Service)
    query = (
        select(ServiceDependency.service_id, Service.name, needed.id, needed.name)
        .join(Service, Service.id == ServiceDependency.service_id)
        .join(needed, needed.id == ServiceDependency.depends_on_service_id)
        .where(Service.deleted_at.is_(None), needed.deleted_at.is_(None))
    )
    graph: dict[str, frozenset[str]] = {}
    names: dict[str, str] = {}
    for service_id, name, need, needed_name in await work.session.execute(query):
        graph[service_id] = graph.get(service_id, frozenset()) | {need}
        names |= {service_id: name, need: needed_name}
    return Needs(graph, names, await _list_stopped(work, names))


async def _list_stopped(work: Work, names: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    if not names:
        return frozenset()
    query = (
        select(Workload.environment_id, Workload.service_id)
        .join(Service, Service.id == Workload.service_id)
        .where(
            Workload.service_id.in_(list(names)),
            Workload.release_id.is_not(None),
            Service.type != ServiceType.CRON,
            Workload.wanted.not_in(LIVE) | (Workload.replicas == 0),
        )
    )
    return frozenset((row[0], row[1]) for row in await work.session.execute(query))
