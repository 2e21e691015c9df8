"""The health monitor: every running workload at each interval; history kept, an event on each change."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, update

from towline.actions.dependency_health import read_needs, with_needs
from towline.actions.events import emit
from towline.actions.masking import Masker
from towline.actions.platform import Platform
from towline.actions.probing import Prober, Target
from towline.actions.settings import run_settings
from towline.actions.variables import open_variables
from towline.actions.verdicts import Verdict, verdict_of
from towline.models.base import utc_now
from towline.models.deployments import Release
from towline.models.history import HealthCheck as HealthCheckRow
from towline.models.services import Instance as InstanceRow
from towline.models.services import Workload
from towline.values import HealthCheck, HealthStatus, Instance, InstanceState

_AT_ONCE = 50


async def check_all(platform: Platform) -> int:
    """Check every running workload once; return how many that were."""
    async with platform.database.transaction() as work:
        query = (
            select(Workload, Release)
            .join(Release, Release.id == Workload.release_id)
            .where(Workload.wanted == "running", Workload.replicas > 0)
            # In the order in which a deletion locks them: their health is written in the order they are read.
            .order_by(Workload.id)
        )
        workloads = [(workload, release) for workload, release in await work.session.execute(query)]
        rows = await work.session.scalars(select(InstanceRow).where(InstanceRow.is_routed))
        ports = {row.id: row.port for row in rows}
        needs = await read_needs(work)
    if not workloads:
        return 0
    instances: dict[str, list[Instance]] = {}
    for instance in await platform.orchestrator.list_instances():
        if instance.id in ports:
            instances.setdefault(instance.workload_id, []).append(instance)
    limit = asyncio.Semaphore(_AT_ONCE)
    verdicts = await asyncio.gather(
        *(
            _check_workload(platform, limit, workload, release, instances.get(workload.id, []), ports)
            for workload, release in workloads
        )
    )
    await _store(platform, with_needs(verdicts, needs))
    return len(verdicts)


async def _check_workload(
    platform: Platform,
    limit: asyncio.Semaphore,
    workload: Workload,
    release: Release,
    instances: Sequence[Instance],
    ports: dict[str, int | None],
) -> Verdict:
    prober, settings = Prober(platform.orchestrator), run_settings(release.run)

    async def check(instance: Instance) -> HealthCheck:
        port = ports[instance.id]
        probe = settings.probe(platform.settings, port=port, has_healthcheck=release.has_healthcheck)
        if instance.state is not InstanceState.RUNNING:
            return HealthCheck(HealthStatus.UNHEALTHY, utc_now(), error=f"{instance.name} is not running.")
        async with limit:
            return await prober.check(instance, Target(probe, port))

    verdict = verdict_of(workload, await asyncio.gather(*(check(instance) for instance in instances)))
    return replace(verdict, error=_masked(platform, release, verdict.error)) if verdict.error else verdict


def _masked(platform: Platform, release: Release, error: str) -> str:
    """An error may quote what a check printed."""
    _, secrets = open_variables(platform, release.variables, release_id=release.id)
    return Masker(secrets).mask(error)


async def _store(platform: Platform, verdicts: Sequence[Verdict]) -> None:
    now = utc_now()
    rows: list[dict[str, Any]] = [
        {
            "workload_id": verdict.workload.id,
            "checked_at": now,
            "status": verdict.status.value,
            "response_ms": verdict.response_ms,
            "error": verdict.error,
        }
        for verdict in verdicts
    ]
    async with platform.database.transaction() as work:
        await work.session.execute(insert(HealthCheckRow), rows)
        updates = [
            {"id": row["workload_id"], "health": row["status"], "health_error": row["error"], "health_at": now}
            | {"response_ms": row["response_ms"]}
            for row in rows
        ]
        await work.session.execute(update(Workload), updates)
        for verdict in verdicts:
            _tell_change(platform, work, verdict)


def _tell_change(platform: Platform, work: Any, verdict: Verdict) -> None:
    workload = verdict.workload
    if workload.health == verdict.status:
        return
    emit(
        platform,
        work,
        "service.health",
        project_id=workload.project_id,
        service_id=workload.service_id,
        data={
            "status": verdict.status.value,
            "was": workload.health,
            "error": verdict.error,
            "responseMs": verdict.response_ms,
            "environmentId": workload.environment_id,
        },
    )
