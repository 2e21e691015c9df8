"""Deletion: rows keep their history under a name of their own; what runs of them is taken down by the reconciler."""

import logging
from collections.abc import Iterable

from sqlalchemy import ColumnElement, delete, select

from towline.actions.deployments.requests import cancel_deployment
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.routes import publish_environment
from towline.actions.runs.requests import cancel_open_runs
from towline.actions.sharing import check_no_base
from towline.errors import Conflict, TowlineError
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service, Variable, Workload
from towline.models.variable_changes import VariableChange
from towline.values import OPEN_STATUSES, EnvironmentKind

_log = logging.getLogger(__name__)


async def retire_workloads(platform: Platform, work: Work, condition: ColumnElement[bool]) -> None:
    """Stop the workloads that fit the condition: open deployments cancelled, routes gone, instances removed soon."""
    query = select(Workload).where(condition).order_by(Workload.id).with_for_update()
    workloads = (await work.session.scalars(query)).all()
    ids = [workload.id for workload in workloads]
    deployments = select(Deployment).where(Deployment.workload_id.in_(ids), Deployment.status.in_(OPEN_STATUSES))
    for deployment in await work.session.scalars(deployments.with_for_update()):
        try:
            await cancel_deployment(platform, work, deployment)
        except Conflict:
            _log.info("Deployment %s has switched; it ends by itself and is taken down then", deployment.id)
    await cancel_open_runs(platform, work, ids)
    for workload in workloads:
        workload.wanted = "stopped"
    await work.session.execute(delete(Route).where(Route.workload_id.in_(ids)))
    publish_soon(platform, work, {workload.environment_id for workload in workloads})
    work.after_commit(lambda: platform.bell.ring("reconcile"))


async def delete_environment(platform: Platform, work: Work, environment: Environment) -> None:
    """Delete an environment with all that runs in it.

    Conflict for production, which every project has, and for one that previews stand beside: they use its services.
    """
    if environment.kind == EnvironmentKind.PRODUCTION:
        raise Conflict("The production environment stays as long as its project.", hint="Delete the project instead.")
    if environment.kind != EnvironmentKind.PREVIEW:
        await check_no_base(work, environment)
    await retire_workloads(platform, work, Workload.environment_id == environment.id)
    await work.session.execute(delete(Variable).where(Variable.environment_id == environment.id))
    await work.session.execute(delete(VariableChange).where(VariableChange.environment_id == environment.id))
    data = {"environment": environment.name}
    environment.share_secret = None
    mark_deleted(environment)
    publish_soon(platform, work, {environment.id})
    emit(platform, work, "environment.deleted", project_id=environment.project_id, data=data)


def mark_deleted(row: Project | Environment | Service) -> None:
    """Mark a row as deleted and free its name for a new one; names never hold a `~` otherwise."""
    row.deleted_at = utc_now()
    row.name = f"{row.name}~{row.id}"


def publish_soon(platform: Platform, work: Work, environment_ids: Iterable[str]) -> None:
    """Once the transaction is committed, bring the router to what the rows say; a failure is left to the next sweep."""

    async def publish() -> None:
        for environment_id in sorted(environment_ids):
            try:
                await publish_environment(platform, environment_id, confirm=False)
            except TowlineError as error:
                _log.warning("The routes of %s are not published yet: %s", environment_id, error)
                await platform.bell.ring(f"publish {environment_id}")

    work.after_commit(publish)
