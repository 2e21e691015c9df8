"""Workloads: a service in one environment, made when something first wants it there."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload
from towline.names import new_id
from towline.values import ServiceType


def wanted_replicas(service: Service) -> int:
    """Instances of a service in a new environment; none of a cron service, whose runs are no instances."""
    return 0 if service.type == ServiceType.CRON else service.run.get("replicas", 1)


async def lock_workload(work: Work, *, project: Project, service: Service, environment: Environment) -> Workload:
    """The workload of a service in an environment, made when it is not there, its row locked."""
    values: dict[str, Any] = {
        "id": new_id("wkl"),
        "project_id": project.id,
        "service_id": service.id,
        "environment_id": environment.id,
        "replicas": wanted_replicas(service),
        "created_at": utc_now(),
    }
    await work.session.execute(insert(Workload).values(values).on_conflict_do_nothing())
    query = select(Workload).where(Workload.service_id == service.id, Workload.environment_id == environment.id)
    return (await work.session.scalars(query.with_for_update())).one()
