"""Repositories: gone with their service, and packed after a push."""

from sqlalchemy import select

from towline.actions.platform import Platform
from towline.models.projects import Project
from towline.models.services import Service


async def remove_unneeded_repositories(platform: Platform) -> None:
    """Remove the repositories of services that are no more; those of other sources stay, they may be wanted again."""
    names = await platform.repositories.list_names()
    if not names:
        return
    there = (
        select(Service.id)
        .join(Project, Project.id == Service.project_id)
        .where(Service.id.in_(names), Service.deleted_at.is_(None), Project.deleted_at.is_(None))
    )
    async with platform.database.transaction() as work:
        needed = set(await work.session.scalars(there))
    for name in names:
        if name not in needed:
            await platform.repositories.remove(name)
