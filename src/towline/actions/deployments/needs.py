"""Needs: what a deployment depends on is brought up first, unless it is live and healthy already."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from towline.actions.deployments.waiting import OPEN
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.models.groups import DeploymentNeed
from towline.models.projects import Environment
from towline.models.services import Service, Workload
from towline.values import HealthStatus, ServiceType


async def wait_for(work: Work, deployment: Deployment, needed: Iterable[tuple[Deployment, str]]) -> None:
    """Let a queued deployment wait for others (each with its service's name), which it fails with."""
    pairs = [(other, name) for other, name in needed if other.id != deployment.id]
    if not pairs:
        return
    rows = [{"deployment_id": deployment.id, "needs_deployment_id": other.id} for other, _ in pairs]
    await work.session.flush()
    await work.session.execute(insert(DeploymentNeed).values(rows).on_conflict_do_nothing())
    names = " and ".join(sorted(name for _, name in pairs))
    deployment.queue_reason = f"Waiting for {names} to be healthy."


async def list_missing(work: Work, environment: Environment, service_ids: Sequence[str]) -> dict[str, Workload | None]:
    """Those services that are not live and healthy in the environment, each with its workload if it has one.

    One that is degraded serves; a cron service has nothing that runs all the time.
    """
    if not service_ids:
        return {}
    query = (
        select(Service.id, Service.type, Workload)
        .join(
            Workload,
            (Workload.service_id == Service.id) & (Workload.environment_id == environment.id),
            isouter=True,
        )
        .where(Service.id.in_(service_ids), Service.deleted_at.is_(None), Service.type != ServiceType.CRON)
    )
    rows = await work.session.execute(query)
    return {service_id: workload for service_id, _, workload in rows if not is_up(workload)}


def is_up(workload: Workload | None) -> bool:
    """Whether a release of the workload serves."""
    if workload is None or workload.release_id is None or workload.wanted != "running":
        return False
    return workload.replicas > 0 and workload.health != HealthStatus.UNHEALTHY


async def find_open(work: Work, service_id: str, environment: Environment) -> Deployment | None:
    """The newest deployment of a service in the environment that has not ended."""
    query = (
        select(Deployment)
        .where(Deployment.service_id == service_id, Deployment.environment_id == environment.id)
        .where(Deployment.status.in_(OPEN))
        .order_by(Deployment.number.desc())
        .limit(1)
    )
    return (await work.session.scalars(query)).first()
