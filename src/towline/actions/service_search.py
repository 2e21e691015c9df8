"""Searching services by words in their own and their projects' names, in all projects that somebody may see."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller, Role, select_with_role
from towline.models.projects import Project, ProjectCollaborator
from towline.models.services import Service

_MOST_WORDS: Final = 5


async def search_services(
    session: AsyncSession,
    caller: Caller,
    projects: ColumnElement[bool],
    *,
    text: str,
    after: tuple[str, str] | None,
    limit: int,
) -> Sequence[dict[str, Any]]:
    """Services of projects that meet the condition `projects`, each with every word; in the contract's shape.

    By project and service name, behind the names `after`.
    """
    words = text.lower().replace("/", " ").split()[:_MOST_WORDS]
    named = Project.name + "/" + Service.name
    query = (
        select_with_role(caller.user_id)
        .join(Service, Service.project_id == Project.id)
        .with_only_columns(
            Service.id, Service.name, Service.type, Project.name.label("project"), ProjectCollaborator.role
        )
        .where(projects, Service.deleted_at.is_(None), *(named.contains(word, autoescape=True) for word in words))
        .order_by(Project.name, Service.name)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(Project.name, Service.name) > tuple_(*after))
    rows = (await session.execute(query)).mappings()
    return [{**row, "role": row["role"] or Role.OWNER.value} for row in rows]
