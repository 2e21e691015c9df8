"""Finding what a delivery is about: its hook and project, and the services that are built from the repository."""

from sqlalchemy import Select, select

from towline.actions.hooks.rules import Candidate
from towline.actions.repositories import repository_of
from towline.infra.database import Work
from towline.models.hooks import Hook, HookDelivery
from towline.models.projects import Project
from towline.models.services import Service


def select_delivery(*delivery_ids: str) -> Select[HookDelivery, Hook, Project]:
    """Deliveries that wait, each with its hook and project."""
    return (
        select(HookDelivery, Hook, Project)
        .join(Hook, Hook.id == HookDelivery.hook_id)
        .join(Project, Project.id == Hook.project_id)
        .where(HookDelivery.id.in_(delivery_ids), HookDelivery.status == "queued", Project.deleted_at.is_(None))
    )


async def list_candidates(work: Work, hook: Hook) -> list[Candidate]:
    """Services that are built from the hook's repository."""
    query = select(Service).where(Service.project_id == hook.project_id, Service.deleted_at.is_(None))
    return [
        Candidate(
            service.id,
            service.name,
            branch=str(service.source_config.get("branch") or ""),
            watch_paths=tuple(service.build.get("watch_paths") or ()),
        )
        for service in await work.session.scalars(query.order_by(Service.name))
        if repository_of(service.source_config) == hook.repository
    ]
