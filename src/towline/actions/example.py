"""The example: a project with one service, made and deployed through the same door as everyone's code."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from towline.actions.access import Caller
from towline.actions.deploying import Place, Wanted, deploy, get_place
from towline.actions.environments import PRODUCTION
from towline.actions.platform import Platform
from towline.actions.projects import create_project
from towline.actions.services import create_service
from towline.actions.uploads import keep_archive
from towline.errors import Conflict, Unavailable
from towline.infra.database import Work
from towline.infra.example import BUSYBOX, EXAMPLE, is_static, pack_example
from towline.models.deployments import Deployment
from towline.models.projects import Project
from towline.models.services import Service, Workload
from towline.values import OPEN_STATUSES, DeploymentStatus


async def lock_example(work: Work) -> Project | None:
    """The example's project, if there is one; nobody else makes it until the end of the transaction."""
    await work.session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('towline example', 19))"))
    return await work.session.scalar(select(Project).where(Project.name == EXAMPLE))


async def deploy_example(
    platform: Platform,
    work: Work,
    caller: Caller,
    *,
    project: Project | None,
    service_fields: Mapping[str, Any],
    program: Path = BUSYBOX,
) -> Deployment:
    """Make what is missing of the example and deploy it; what is under way or live already is left as it is.

    `service_fields` are those of the contract for its service. Unavailable when the program that serves its page is
    not on this machine.
    """
    if not await asyncio.to_thread(is_static, program):
        raise Unavailable(
            f"The example needs the program {program} of the package busybox-static, which is not on the server.",
            hint="Install busybox-static there, or deploy something of your own.",
        )
    if project is None:
        description = "The example that comes with Towline"
        project = await create_project(platform, work, caller, name=EXAMPLE, description=description)
    place = await _get_place(platform, work, project, service_fields)
    found = await _find_deployment(work, place)
    if found is not None:
        return found
    content = await asyncio.to_thread(pack_example, program)
    upload = await keep_archive(platform, work, project_id=project.id, content=content)
    return await deploy(platform, work, place, wanted=Wanted(upload=upload), caller=caller)


async def _get_place(platform: Platform, work: Work, project: Project, fields: Mapping[str, Any]) -> Place:
    query = select(Service).where(
        Service.project_id == project.id, Service.name == EXAMPLE, Service.deleted_at.is_(None)
    )
    service = (await work.session.scalars(query)).one_or_none()
    if service is None:
        service = await create_service(platform, work, project, fields)
    if service.source_type != "upload":
        raise Conflict(f"The service {EXAMPLE} is not the example: it has a source of its own.")
    return await get_place(work, project=project, service=service, environment=PRODUCTION)


async def _find_deployment(work: Work, place: Place) -> Deployment | None:
    """The newest one, unless it did not end well or was stopped since."""
    query = (
        select(Deployment, Workload.wanted)
        .join(Workload, Workload.id == Deployment.workload_id)
        .where(Deployment.service_id == place.service.id, Deployment.environment_id == place.environment.id)
        .order_by(Deployment.created_at.desc())
        .limit(1)
    )
    row = (await work.session.execute(query)).first()
    if row is None:
        return None
    deployment, wanted = row
    is_live = deployment.status == DeploymentStatus.SUCCESS and wanted == "running"
    return deployment if is_live or deployment.status in OPEN_STATUSES else None
