"""Branches with previews: made, moved on and removed by pushes to the project's own repositories."""

from sqlalchemy import select

from towline.actions.access import Caller, Permission, get_project
from towline.actions.deploying import Wanted
from towline.actions.platform import Platform
from towline.actions.previews.creating import NewPreview, create_preview, update_preview
from towline.actions.previews.removing import request_removal
from towline.actions.previews.rules import preview_name
from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.models.previews import Preview
from towline.models.projects import Project
from towline.models.services import Service
from towline.values import Bundle


async def deploy_to_preview(
    platform: Platform, work: Work, project: Project, service: Service, *, branch: str, bundle: Bundle, caller: Caller
) -> Deployment:
    """Queue the deployment of a branch to its preview, which is made when it is not there; that of the service pushed.

    Services of a project that are pushed to by the same branch meet in one preview.
    """
    await get_project(work.session, caller, project.id, permission=Permission.CREATE_PREVIEWS)
    sources = {service.id: Wanted(ref=bundle.revision)}
    preview = await _find_preview(work, project, branch)
    if preview is None:
        wanted = NewPreview(
            preview_name(branch=branch),
            origin="branch",
            title=bundle.message[:200],
            ref=branch,
            revision=bundle.revision,
            sources=sources,
        )
        preview = await create_preview(platform, work, project, wanted, caller=caller)
    else:
        revision = bundle.revision
        await update_preview(platform, work, project, preview, caller=caller, revision=revision, sources=sources)
    newest = (
        select(Deployment)
        .where(Deployment.environment_id == preview.environment_id, Deployment.service_id == service.id)
        .order_by(Deployment.number.desc())
        .limit(1)
    )
    deployment = (await work.session.scalars(newest)).first()
    if deployment is None:
        raise Conflict(
            f"Previews of {project.name} have no {service.name} of their own.",
            hint="Change the rules for previews, or push to a branch without one.",
        )
    return deployment


async def remove_preview_of(platform: Platform, work: Work, project: Project, *, branch: str) -> bool:
    """Ask for the removal of a branch's preview; whether there was one."""
    preview = await _find_preview(work, project, branch)
    if preview is None:
        return False
    await request_removal(platform, work, preview, reason="Its branch was deleted.")
    return True


async def _find_preview(work: Work, project: Project, branch: str) -> Preview | None:
    query = select(Preview).where(
        Preview.project_id == project.id,
        Preview.hook_id.is_(None),
        Preview.origin == "branch",
        Preview.ref == branch,
        Preview.state != "removing",
    )
    return (await work.session.scalars(query.with_for_update())).first()
