"""Generated hosts: what a workload's host may be called, the best first."""

import hashlib

from sqlalchemy import func, literal, or_, select

from towline.actions.platform import Platform
from towline.actions.sharing import find_preview_of
from towline.infra.database import Work
from towline.models.projects import Environment, Project
from towline.models.services import Service
from towline.names import generated_label, preview_label, to_label
from towline.values import EnvironmentKind


async def list_host_candidates(
    platform: Platform, work: Work, *, project: Project, service: Service, environment: Environment
) -> tuple[str, ...]:
    """Hosts for a workload, whole, that nobody but it comes to by the rules of names; whether one is taken is not said.

    `{project}-{preview}` leads to a preview's main service, `{service}-{project}-{preview}` to the others.
    """
    labels = await _list_labels(work, project, service, environment)
    domain = project.base_domain or platform.settings.base_domain
    return tuple(f"{label}.{domain}" for label in labels)


async def _list_labels(work: Work, project: Project, service: Service, environment: Environment) -> tuple[str, ...]:
    preview = await find_preview_of(work, environment)
    if preview is not None:
        is_main = service.id == preview.main_service_id
        return await _list_preview_labels(work, project, service, environment, is_main=is_main)
    label = generated_label(
        project=project.name,
        service=service.name,
        environment=environment.name,
        is_production=environment.kind == EnvironmentKind.PRODUCTION,
    )
    return label, f"{label[:54]}-{service.id[-8:]}"


async def _list_preview_labels(
    work: Work, project: Project, service: Service, environment: Environment, *, is_main: bool
) -> tuple[str, ...]:
    name = environment.name
    main_label = preview_label(project=project.name, custom=name)
    label = main_label if is_main else to_label(f"{service.name}-{project.name}-{name}")
    digest = hashlib.sha256(f"{environment.id} {service.id}".encode()).hexdigest()[:10]
    unmistakable = f"{label[:52].rstrip('-')}-{digest}"
    if await _reads_as_another_projects(work, project, label, is_main=is_main):
        return (unmistakable,)
    return label, unmistakable


async def _reads_as_another_projects(work: Work, project: Project, label: str, *, is_main: bool) -> bool:
    """Whether people who know another project's name could take the label for one of its previews.

    Of two projects `shop` and `shop-eu`, `shop-eu-pr-1` belongs to the second alone.
    """
    begins = or_(Project.name == label, func.starts_with(literal(label), Project.name + "-"))
    query = select(Project.id).where(Project.id != project.id, Project.deleted_at.is_(None), begins)
    if is_main:
        query = query.where(func.length(Project.name) > len(project.name))
    return await work.session.scalar(query.limit(1)) is not None
