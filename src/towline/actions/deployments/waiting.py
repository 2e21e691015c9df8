"""What a deployment waits for besides its turn: deployments it needs, and the group it belongs to."""

from functools import cache

from sqlalchemy import ColumnElement, and_, exists, select, update
from sqlalchemy.orm import aliased

from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.groups import DeploymentNeed, Group
from towline.models.services import Service
from towline.values import DeploymentStatus

OPEN = tuple(status.value for status in DeploymentStatus if not status.is_final)


@cache
def is_held_up() -> ColumnElement[bool]:
    """Whether a deployment still waits for one it needs, or its group for an older one of the environment."""
    needed, mine, older = aliased(Deployment), aliased(Group), aliased(Group)
    is_needing = exists().where(
        DeploymentNeed.deployment_id == Deployment.id,
        DeploymentNeed.needs_deployment_id == needed.id,
        needed.status.in_(OPEN),
    )
    is_behind = exists().where(
        mine.id == Deployment.group_id,
        older.environment_id == mine.environment_id,
        older.number < mine.number,
        older.status.in_(OPEN),
    )
    return is_needing | and_(Deployment.group_id.is_not(None), is_behind)


async def find_failed_need(work: Work, deployment: Deployment) -> str:
    """Why a deployment cannot be started, as something it waited for has not succeeded; empty when all has."""
    query = (
        select(Service.name, Deployment.status, Deployment.error)
        .join(DeploymentNeed, DeploymentNeed.needs_deployment_id == Deployment.id)
        .join(Service, Service.id == Deployment.service_id)
        .where(DeploymentNeed.deployment_id == deployment.id, Deployment.status != DeploymentStatus.SUCCESS.value)
        .order_by(Service.name)
    )
    row = (await work.session.execute(query)).first()
    if row is None:
        return ""
    reason = row.error["message"] if row.error else f"its deployment was {row.status}."
    return f"Not started: {row.name} is needed, and {_as_clause(reason)}"


async def begin_group(platform: Platform, work: Work, group_id: str) -> None:
    """Note that the first member of a group was taken by a worker."""
    statement = (
        update(Group)
        .where(Group.id == group_id, Group.status == DeploymentStatus.QUEUED.value)
        .values(status=DeploymentStatus.BUILDING.value, step="build", started_at=utc_now(), queue_reason="")
        .returning(Group)
    )
    group = (await work.session.scalars(statement)).one_or_none()
    if group is not None:
        emit_group(platform, work, group, "group.started")


async def cancel_group_of(platform: Platform, work: Work, deployment: Deployment, *, status: DeploymentStatus) -> None:
    """Cancel the whole group of a member: its deployments succeed together or not at all."""
    query = select(Group).where(Group.id == deployment.group_id).with_for_update()
    group = (await work.session.scalars(query, execution_options={"populate_existing": True})).one()
    await cancel_open_group(platform, work, group, status=status)


async def cancel_open_group(
    platform: Platform, work: Work, group: Group, *, status: DeploymentStatus = DeploymentStatus.CANCELLED
) -> None:
    """Tell a group to end with the old releases; a worker brings that about within seconds.

    Raises Conflict when it has ended, or has switched and cannot be called back.
    """
    if DeploymentStatus(group.status).is_final:
        raise Conflict(f"Group {group.number} has already ended: {group.status}.")
    if group.switched_at is not None and status is DeploymentStatus.CANCELLED:
        raise Conflict(f"Group {group.number} already serves requests.", hint="Roll the group back instead.")
    group.cancel_requested_at = group.cancel_requested_at or utc_now()
    group.cancel_status = status.value
    work.after_commit(lambda: platform.bell.ring(group.id))
    work.after_commit(lambda: platform.bell.ring("deployments"))


def emit_group(platform: Platform, work: Work, group: Group, type_: str, *, progress: float = 0) -> None:
    """Add the event of a group's present state to the transaction."""
    data = {
        "group": group.id,
        "number": group.number,
        "status": group.status,
        "step": group.step,
        "progress": progress,
        "environmentId": group.environment_id,
        "message": group.queue_reason or f"Group {group.number}: {group.step}",
    }
    if group.error is not None:
        data |= {"error": group.error["message"]}
    emit(platform, work, type_, project_id=group.project_id, data=data)


def _as_clause(reason: str) -> str:
    return reason if reason[:2].isupper() else reason[:1].lower() + reason[1:]
