"""What git platforms are told of previews: one comment for each request, and a status for each of its commits."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select

from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.actions.previews.finding import PreviewMember, PreviewOverview, get_preview_overview
from towline.actions.reports.contents import Content, comment_content, status_content
from towline.actions.reports.texts import Line, code, comment_text, state_of, status_text, word_of
from towline.infra.database import Work
from towline.models.connections import HostReport
from towline.models.deployments import Deployment
from towline.models.previews import Preview
from towline.sources.hosting import CommitStatus
from towline.values import DeploymentStatus

_REMOVED: Final = "The preview was removed."


async def render_comment(platform: Platform, work: Work, report: HostReport) -> Content | None:
    """The comment of a request: its services, or why there are none."""
    preview = await work.session.get(Preview, str(report.facts.get("preview")))
    if preview is None or preview.state == "removing":
        return comment_content(report, f"{_REMOVED}\n", is_final=True)
    overview = await get_preview_overview(platform, work.session, preview)
    if preview.state == "waiting":
        note = (
            f"Commit {code(preview.head_revision)} comes from a fork. Nothing of it runs until a member of "
            f"{code(overview.project)} approves it: {code(f'towline previews approve {overview.name}')}"
        )
        text = comment_text(project=overview.project, branch=preview.ref, lines=(), note=note)
        return comment_content(report, text, is_final=False)
    deployed = await _deployed(work, overview)
    lines = [_line(platform, overview, member, deployed.get(member.service.id)) for member in overview.members]
    group = overview.group
    page = f"{platform_url(platform)}/projects/{overview.project}/groups/{group.id}" if group else ""
    text = comment_text(project=overview.project, branch=preview.ref, lines=lines, page=page)
    statuses = [DeploymentStatus(one.status) for one in deployed.values()]
    is_steady = bool(statuses) and all(status.is_final for status in statuses)
    return comment_content(report, text, is_final=False, is_steady=is_steady)


async def render_preview_status(platform: Platform, work: Work, report: HostReport) -> Content | None:
    """The status of a request's commit; None when the request has moved on, or its preview is gone."""
    preview = await work.session.get(Preview, str(report.facts.get("preview")))
    revision = str(report.facts["revision"])
    if preview is None or preview.state == "removing" or preview.head_revision != revision:
        return None
    overview = await get_preview_overview(platform, work.session, preview)
    statuses = [deployment.status for deployment in (await _deployed(work, overview)).values()]
    is_waiting = preview.state == "waiting"
    page = f"/groups/{overview.group.id}" if overview.group is not None else ""
    told = CommitStatus(
        revision=revision,
        state="pending" if is_waiting else state_of(statuses),
        context=f"towline/{overview.project}/preview",
        description="Waits for a member's approval." if is_waiting else status_text(statuses, environment="a preview"),
        url=f"{platform_url(platform)}/projects/{overview.project}{page}",
    )
    return status_content(report, told)


async def _deployed(work: Work, overview: PreviewOverview) -> Mapping[str, Deployment]:
    """The deployments of a preview's newest group, by service."""
    if overview.group is None:
        return {}
    query = select(Deployment).where(Deployment.group_id == overview.group.id)
    return {deployment.service_id: deployment for deployment in await work.session.scalars(query)}


def _line(platform: Platform, overview: PreviewOverview, member: PreviewMember, found: Deployment | None) -> Line:
    if member.is_shared:
        return Line(member.service.name, f"of {overview.base}", member.urls)
    if found is None:
        return Line(member.service.name, "waits", member.urls)
    return Line(
        member.service.name,
        word_of(found.status),
        member.urls,
        revision=found.commit_sha or found.ref,
        at=found.finished_at,
        log_url=f"{platform_url(platform)}/deployments/{found.id}",
    )
