"""The audit log: every change and every refused attempt, who made it and from where."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.models.history import AuditEntry
from towline.models.projects import Project


def record(
    work: Work,
    caller: Caller,
    action: str,
    *,
    outcome: Literal["allowed", "refused"] = "allowed",
    project_id: str = "",
    object_id: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry to the transaction of the change it tells of; `detail` must hold no secret."""
    work.session.add(
        AuditEntry(
            action=action,
            outcome=outcome,
            actor_id=caller.user_id,
            key_id=caller.key_id,
            address=caller.address,
            project_id=project_id,
            object_id=object_id,
            detail=dict(detail or {}),
        )
    )


async def list_entries(
    session: AsyncSession, *, project_id: str | None, before: int | None, limit: int
) -> Sequence[AuditEntry]:
    """Entries of one project (None: all), newest first, those below the number `before`."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if project_id is not None:
        query = query.where(AuditEntry.project_id == project_id)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return (await session.scalars(query)).all()


async def find_project_id(session: AsyncSession, reference: str) -> str | None:
    """The project that an attempt was aimed at, by id or name, whether or not the caller may see it."""
    query = select(Project.id).where(or_(Project.id == reference, Project.name == reference))
    return await session.scalar(query.where(Project.deleted_at.is_(None)))


async def find_project_id_of_deployment(session: AsyncSession, deployment_id: str) -> str | None:
    """The project of the deployment that an attempt was aimed at."""
    return await session.scalar(select(Deployment.project_id).where(Deployment.id == deployment_id))
