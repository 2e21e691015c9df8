"""Services: the programs of a project."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.errors import NotFound
from towline.models.services import Service


async def get_service(session: AsyncSession, project_id: str, reference: str) -> Service:
    """A project's service by id or name; NotFound otherwise."""
    query = select(Service).where(
        Service.project_id == project_id,
        Service.deleted_at.is_(None),
        or_(Service.id == reference, Service.name == reference),
    )
    service = (await session.scalars(query)).one_or_none()
    if service is None:
        raise NotFound(f"The project has no service {reference!r}.")
    return service
