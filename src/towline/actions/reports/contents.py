"""What a report says now, read from the rows when it is to be sent: the newest is what counts."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import select

from towline.actions.connections.calling import TO_COMMENT, TO_HOOK, TO_REPORT
from towline.actions.hooks.administration import hook_url, open_secrets
from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.actions.reports.texts import state_of, status_text
from towline.infra.database import Work
from towline.models.connections import HostReport
from towline.models.deployments import Deployment
from towline.models.hooks import Hook
from towline.models.projects import Project
from towline.sources.hosting import ApiRequest, CommitStatus, GitHost, Rights


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be told: as a request once the platform is known, and as a digest that changes with it.

    `keeps_id` says that the answer names what was made, `is_final` that nothing will change by itself any more,
    `is_steady` that this is not expected soon.
    """

    digest: str
    rights: Rights
    request: Callable[[GitHost, str], ApiRequest]
    keeps_id: bool = False
    is_final: bool = True
    is_steady: bool = False


Render = Callable[[Platform, Work, HostReport], Awaitable[Content | None]]


async def render_hook(platform: Platform, work: Work, report: HostReport) -> Content | None:
    """The webhook of a connected repository; None when the hook is gone."""
    hook = await work.session.get(Hook, report.target)
    if hook is None:
        return None
    url, secret, name = hook_url(platform, hook), open_secrets(platform, hook)[0], name_of(report)
    return Content(
        digest=digest_of(url, secret),
        rights=TO_HOOK,
        request=lambda api, hook_id: api.hook_request(name, url=url, secret=secret, hook_id=hook_id),
        keeps_id=True,
    )


async def render_hook_removal(platform: Platform, work: Work, report: HostReport) -> Content | None:
    """The end of a webhook."""
    del platform, work
    name, hook_id = name_of(report), report.target
    return Content(digest="gone", rights=TO_HOOK, request=lambda api, _: api.hook_removal(name, hook_id))


async def render_status(platform: Platform, work: Work, report: HostReport) -> Content | None:
    """The status of a pushed commit; None when its deployments are gone."""
    ids: list[str] = report.facts.get("deployments", [])
    query = select(Deployment.status).where(Deployment.id.in_(ids)).order_by(Deployment.id)
    statuses = (await work.session.scalars(query)).all()
    project = await work.session.get(Project, report.project_id)
    if not statuses or project is None:
        return None
    group, environment = report.facts.get("group"), str(report.facts["environment"])
    page = f"/projects/{project.name}/groups/{group}" if group else f"/deployments/{ids[0]}"
    told = CommitStatus(
        revision=str(report.facts["revision"]),
        state=state_of(statuses),
        context=f"towline/{project.name}/{environment}",
        description=status_text(statuses, environment=environment),
        url=platform_url(platform) + page,
    )
    return status_content(report, told)


def status_content(report: HostReport, told: CommitStatus) -> Content:
    """A status as content."""
    name = name_of(report)
    return Content(
        digest=digest_of(told.state, told.description, told.url),
        rights=TO_REPORT,
        request=lambda api, _: api.status_request(name, told),
        is_final=told.state != "pending",
    )


def comment_content(report: HostReport, text: str, *, is_final: bool, is_steady: bool = False) -> Content:
    """A comment as content; the report's target is the number of the request."""
    name, number = name_of(report), int(report.target)
    return Content(
        digest=digest_of(text),
        rights=TO_COMMENT,
        request=lambda api, comment_id: api.comment_request(name, number, text, comment_id=comment_id),
        keeps_id=True,
        is_final=is_final,
        is_steady=is_steady,
    )


def name_of(report: HostReport) -> str:
    """`owner/name` of a report's repository."""
    return report.repository.partition("/")[2]


def digest_of(*parts: str) -> str:
    """What changes with any of the parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
