"""Requesting, cancelling and rolling back: rows written in one transaction, then a ring of the bell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, update

from towline.actions.deployments.progress import emit_progress
from towline.actions.deployments.waiting import cancel_group_of
from towline.actions.platform import Platform
from towline.actions.routes import ensure_generated_route
from towline.actions.sharing import check_belongs
from towline.actions.sleep import ask_for
from towline.actions.workloads import lock_workload
from towline.errors import Conflict, NotFound
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment, Release
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload
from towline.names import new_id
from towline.values import RUNNING_STATUSES, DeploymentStatus, Trigger


@dataclass(frozen=True, slots=True)
class DeploymentRequest:
    """What is asked for. `source_type`/`source_config` override the service's own source for this deployment.

    `allows_local` lets it be fetched from this machine itself, which only instance administrators may ask for.
    """

    trigger: Trigger = Trigger.API
    requested_by: str = ""
    allows_local: bool = False
    ref: str = ""
    source_type: str = ""
    source_config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    no_cache: bool = False
    rollback_to: str | None = None
    group_id: str | None = None

    @property
    def is_made_already(self) -> bool:
        """Whether nothing is to be fetched or built: a kept release, or an image."""
        return self.rollback_to is not None or (bool(self.source_config.get("image")) and not self.no_cache)


async def request_deployment(
    platform: Platform,
    work: Work,
    *,
    project: Project,
    service: Service,
    environment: Environment,
    request: DeploymentRequest,
) -> Deployment:
    """Queue a deployment and return its row. Waiting older ones of the workload are superseded by it.

    Every door ends here: API, CLI, webhook, preview, cascade and rollback.
    """
    await check_belongs(work, service, environment)
    workload = await lock_workload(work, project=project, service=service, environment=environment)
    await ensure_generated_route(
        platform, work, project=project, service=service, environment=environment, workload=workload
    )
    number = workload.next_deployment_number
    workload.next_deployment_number = number + 1
    workload.wanted = "running"
    await ask_for(platform, work, environment.id)
    await _supersede_waiting(platform, work, workload_id=workload.id, by_number=number)
    deployment = _new_deployment(workload, service, request, number=number)
    work.session.add(deployment)
    await work.session.flush()
    emit_progress(platform, work, deployment)
    work.after_commit(lambda: platform.bell.ring("deployments"))
    return deployment


def _new_deployment(workload: Workload, service: Service, request: DeploymentRequest, *, number: int) -> Deployment:
    return Deployment(
        id=new_id("dep"),
        created_at=utc_now(),
        number=number,
        project_id=workload.project_id,
        service_id=service.id,
        environment_id=workload.environment_id,
        workload_id=workload.id,
        requested_by=request.requested_by,
        allows_local=request.allows_local,
        trigger=request.trigger.value,
        source_type=request.source_type or service.source_type,
        source_config=dict(request.source_config or service.source_config),
        ref=request.ref,
        no_cache=request.no_cache,
        rollback_to=request.rollback_to,
        group_id=request.group_id,
        is_built=request.group_id is not None and request.is_made_already,
        status=DeploymentStatus.QUEUED.value,
        attempt=0,
        steps=[],
    )


async def request_rollback(
    platform: Platform,
    work: Work,
    *,
    project: Project,
    service: Service,
    environment: Environment,
    release_number: int | None,
    requested_by: str,
) -> Deployment:
    """Queue a rollback to a kept release (None: the one before the current); it first cancels what runs there."""
    workload = await lock_workload(work, project=project, service=service, environment=environment)
    release = await _get_rollback_release(work, workload, release_number)
    running = select(Deployment).where(Deployment.workload_id == workload.id, Deployment.status.in_(RUNNING_STATUSES))
    for deployment in await work.session.scalars(running):
        await cancel_deployment(platform, work, deployment, status=DeploymentStatus.SUPERSEDED)
    request = DeploymentRequest(trigger=Trigger.ROLLBACK, requested_by=requested_by, rollback_to=release.id)
    return await request_deployment(
        platform, work, project=project, service=service, environment=environment, request=request
    )


async def cancel_deployment(
    platform: Platform,
    work: Work,
    deployment: Deployment,
    *,
    status: DeploymentStatus = DeploymentStatus.CANCELLED,
) -> None:
    """Cancel: a queued deployment ends here; a running one is told, and ends within seconds; a group as a whole.

    Raises Conflict when it is already final or has switched and cannot be called back.
    """
    if DeploymentStatus(deployment.status).is_final:
        raise Conflict(f"Deployment {deployment.number} has already ended: {deployment.status}.")
    if deployment.group_id is not None:
        return await cancel_group_of(platform, work, deployment, status=status)
    if deployment.status == DeploymentStatus.QUEUED:
        return end_waiting(platform, work, deployment, status=status)
    if deployment.switched_at is not None and status is DeploymentStatus.CANCELLED:
        raise Conflict(f"Deployment {deployment.number} already serves requests.", hint="Roll back instead.")
    deployment.cancel_requested_at = deployment.cancel_requested_at or utc_now()
    deployment.cancel_status = status.value
    work.after_commit(lambda: platform.bell.ring(deployment.id))
    return None


async def _supersede_waiting(platform: Platform, work: Work, *, workload_id: str, by_number: int) -> None:
    waiting = select(Deployment).where(
        Deployment.workload_id == workload_id, Deployment.status == DeploymentStatus.QUEUED.value
    )
    # A member of a group is superseded only together with its group.
    waiting = waiting.where(Deployment.group_id.is_(None))
    for older in await work.session.scalars(waiting.with_for_update()):
        end_waiting(platform, work, older, status=DeploymentStatus.SUPERSEDED, reason=f"Deployment {by_number} came.")


def end_waiting(
    platform: Platform, work: Work, deployment: Deployment, *, status: DeploymentStatus, reason: str = ""
) -> None:
    """End a deployment that nobody has begun to run."""
    deployment.status = status.value
    deployment.finished_at = utc_now()
    deployment.queue_reason = reason
    emit_progress(platform, work, deployment)


async def _get_rollback_release(work: Work, workload: Workload, number: int | None) -> Release:
    query = select(Release).where(Release.workload_id == workload.id, Release.is_kept)
    if number is not None:
        query = query.where(Release.number == number)
    else:
        current = select(Release.number).where(Release.id == workload.release_id).scalar_subquery()
        query = query.where(Release.number < current).order_by(Release.number.desc()).limit(1)
    release = (await work.session.scalars(query)).first()
    if release is None:
        raise NotFound("There is no such release to roll back to.", hint="`towline releases` lists the kept ones.")
    return release


async def release_worker_leases(platform: Platform, worker: str) -> None:
    """Let other workers take over at once what this worker holds; called when it stops."""
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(Deployment)
            .where(Deployment.worker == worker, Deployment.status.in_(RUNNING_STATUSES))
            .values(lease_until=func.now())
        )
    await platform.bell.ring("deployments")
