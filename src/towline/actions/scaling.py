"""Scaling, stopping, starting: the wanted state is written here, the reconciler brings it about."""

from sqlalchemy import update

from towline.actions.deployments.requests import DeploymentRequest, request_deployment
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.runs.requests import cancel_open_runs
from towline.actions.sleep import ask_for
from towline.actions.workloads import lock_workload
from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload
from towline.values import ServiceType, Trigger


async def scale_workload(
    platform: Platform,
    work: Work,
    *,
    project: Project,
    service: Service,
    environment: Environment,
    replicas: int,
) -> Workload:
    """Want this many instances from now on; started beside, or drained and stopped, without a failed request."""
    if service.type == ServiceType.CRON:
        raise Conflict(f"{service.name} is a cron service, which has no instances.", hint="Run it now instead.")
    workload = await lock_workload(work, project=project, service=service, environment=environment)
    workload.replicas = replicas
    _changed(platform, work, workload, "service.scaled", replicas=replicas)
    return workload


async def stop_workload(
    platform: Platform, work: Work, *, project: Project, service: Service, environment: Environment
) -> Workload:
    """Want no instance until it is started or deployed again."""
    workload = await lock_workload(work, project=project, service=service, environment=environment)
    workload.wanted = "stopped"
    workload.next_run_at = workload.next_run_release_id = None
    await cancel_open_runs(platform, work, [workload.id])
    _changed(platform, work, workload, "service.stopped")
    return workload


async def start_workload(
    platform: Platform, work: Work, *, project: Project, service: Service, environment: Environment
) -> Workload:
    """Want the wanted number of instances again; Conflict when nothing was ever deployed."""
    workload = await lock_workload(work, project=project, service=service, environment=environment)
    _check_deployed(workload, service)
    await work.session.execute(
        update(Workload).where(Workload.id == workload.id).values(restarts=0, next_restart_at=None)
    )
    workload.wanted = "running"
    await ask_for(platform, work, environment.id)
    _changed(platform, work, workload, "service.started")
    return workload


async def restart_workload(
    platform: Platform,
    work: Work,
    *,
    project: Project,
    service: Service,
    environment: Environment,
    requested_by: str,
) -> Deployment:
    """Replace every instance by a new one of the same release, as a deployment: no request fails."""
    workload = await lock_workload(work, project=project, service=service, environment=environment)
    _check_deployed(workload, service)
    request = DeploymentRequest(trigger=Trigger.MANUAL, requested_by=requested_by, rollback_to=workload.release_id)
    return await request_deployment(
        platform, work, project=project, service=service, environment=environment, request=request
    )


def _check_deployed(workload: Workload, service: Service) -> None:
    if workload.release_id is None:
        raise Conflict(f"{service.name} has never been deployed here.", hint="Deploy it first.")


def _changed(platform: Platform, work: Work, workload: Workload, type_: str, **facts: object) -> None:
    emit(platform, work, type_, project_id=workload.project_id, service_id=workload.service_id, data=dict(facts))
    work.after_commit(lambda: platform.bell.ring(f"reconcile {workload.id}"))
