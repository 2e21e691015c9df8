"""Requests and branches with previews: made, moved on and removed as a connected repository tells."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from towline.actions.access import Caller
from towline.actions.connections.administration import find_host_api
from towline.actions.connections.asking import ask_report
from towline.actions.deploying import Wanted
from towline.actions.hooks.rules import BRANCHES, asks_to_skip
from towline.actions.platform import Platform
from towline.actions.previews.creating import NewPreview, create_preview, update_preview
from towline.actions.previews.finding import find_preview_for
from towline.actions.previews.removing import request_removal
from towline.actions.previews.rules import Rules, preview_name, rules_of
from towline.infra.database import Work
from towline.models.groups import Group
from towline.models.hooks import Hook, HookDelivery
from towline.models.previews import Preview
from towline.models.projects import Project
from towline.sources.base import PullRequest, WebhookEvent

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ENDS: Final = frozenset({"closed", "close", "merged", "merge"})
_AWAITS: Final = "The fork's commit awaits an approval."


@dataclass(frozen=True, slots=True)
class Told:
    """What a repository told, and where it belongs; `service_ids` are those that are built from the repository."""

    delivery: HookDelivery
    hook: Hook
    project: Project
    event: WebhookEvent
    service_ids: tuple[str, ...]
    caller: Caller


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it; `group_id` is that of the deployments it asked for."""

    is_done: bool
    reason: str = ""
    group_id: str | None = None


async def follow_request(platform: Platform, work: Work, told: Told, request: PullRequest) -> Outcome:
    """Bring the preview of a pull or merge request to where the request is."""
    preview = await find_preview_for(work, told.hook.id, number=request.number)
    if request.action in _ENDS or not request.is_open:
        return await _remove(platform, work, told, preview, reason="The request was closed.")
    if reason := _why_not(platform, told, request, rules_of(told.project)):
        if preview is None:
            return Outcome(is_done=False, reason=reason)
        return await _remove(platform, work, told, preview, reason=reason)
    if preview is not None and preview.head_revision == request.head_revision:
        preview.title = request.title
        return Outcome(is_done=False, reason=_AWAITS if preview.state == "waiting" else "Its commit is the same.")
    if preview is None:
        wanted = NewPreview(
            preview_name(number=request.number),
            origin="pull_request",
            title=request.title,
            hook_id=told.hook.id,
            number=request.number,
            ref=request.head_ref,
            revision=request.head_revision,
            is_fork=request.is_fork,
            sources=_sources(told, _ref_of(request)),
            webhook_trigger=told.delivery.id,
        )
        preview = await create_preview(platform, work, told.project, wanted, caller=told.caller)
    else:
        revision, ref = request.head_revision, _ref_of(request)
        await _move(platform, work, told, preview, revision=revision, ref=ref, title=request.title)
    await _ask_reports(platform, work, told, preview)
    return await _outcome(work, preview)


async def follow_branch(platform: Platform, work: Work, told: Told) -> Outcome | None:
    """Bring the preview of a pushed or deleted branch to where the branch is; None when it has none to have."""
    branch = told.event.ref.removeprefix(BRANCHES)
    if told.event.kind not in {"push", "branch_deleted"} or branch == told.event.ref:
        return None
    preview = await find_preview_for(work, told.hook.id, branch=branch)
    if told.event.kind == "branch_deleted":
        if preview is None:
            return None
        return await _remove(platform, work, told, preview, reason="The branch was deleted.")
    if not told.service_ids or asks_to_skip(told.event.message):
        return None
    if preview is not None:
        revision = told.event.revision
        await _move(platform, work, told, preview, revision=revision, ref=revision, title=None)
        return await _outcome(work, preview)
    if not rules_of(told.project).wants_branch(branch):
        return None
    wanted = NewPreview(
        preview_name(branch=branch),
        origin="branch",
        title=told.event.message.partition("\n")[0],
        hook_id=told.hook.id,
        ref=branch,
        revision=told.event.revision,
        sources=_sources(told, told.event.revision),
        webhook_trigger=told.delivery.id,
    )
    return await _outcome(work, await create_preview(platform, work, told.project, wanted, caller=told.caller))


def _why_not(platform: Platform, told: Told, request: PullRequest, rules: Rules) -> str:
    """Why a request has no preview; empty when it has one."""
    api = find_host_api(platform, told.hook.source_type)
    if not rules.pull_requests:
        return "Requests have no previews here."
    if not told.service_ids:
        return "No service of the project is built from this repository."
    if request.is_fork and not rules.forks:
        return "Requests from forks have no previews here."
    if rules.label is not None and rules.label not in request.labels:
        return "The request does not have the label that previews need."
    if asks_to_skip(request.title):
        return "The request asks to be skipped."
    is_commit_there = api is not None and api.request_ref and _COMMIT.fullmatch(request.head_revision)
    if request.is_fork and not is_commit_there:
        return "The platform keeps no commit of a fork's request in the repository that it is made to."
    return ""


async def _move(
    platform: Platform, work: Work, told: Told, preview: Preview, *, revision: str, ref: str, title: str | None
) -> None:
    await update_preview(
        platform,
        work,
        told.project,
        preview,
        caller=told.caller,
        revision=revision,
        sources=_sources(told, ref),
        title=title,
    )


async def _remove(platform: Platform, work: Work, told: Told, preview: Preview | None, *, reason: str) -> Outcome:
    if preview is None:
        return Outcome(is_done=False, reason="There is no preview of it.")
    await request_removal(platform, work, preview, reason=reason)
    if preview.number is not None:
        await _ask_comment(platform, work, told, preview)
    return Outcome(is_done=True, reason=reason)


def _ref_of(request: PullRequest) -> str:
    """The commit, or the branch of a platform that tells only how a commit's id begins (Bitbucket)."""
    return request.head_revision if _COMMIT.fullmatch(request.head_revision) else f"{BRANCHES}{request.head_ref}"


def _sources(told: Told, ref: str) -> Mapping[str, Wanted]:
    """Exactly what was told of, fetched from the repository itself and never from a fork's address."""
    return dict.fromkeys(told.service_ids, Wanted(ref=ref))


async def _outcome(work: Work, preview: Preview) -> Outcome:
    if preview.state == "waiting":
        return Outcome(is_done=True, reason=_AWAITS)
    query = select(Group.id).where(Group.environment_id == preview.environment_id).order_by(Group.number.desc())
    return Outcome(is_done=True, group_id=await work.session.scalar(query.limit(1)))


async def _ask_reports(platform: Platform, work: Work, told: Told, preview: Preview) -> None:
    await _ask_comment(platform, work, told, preview)
    facts: dict[str, Any] = {"preview": preview.id, "revision": preview.head_revision}
    await ask_report(
        platform,
        work,
        project_id=told.project.id,
        source_type=told.hook.source_type,
        repository=told.hook.repository,
        kind="status",
        target=f"{preview.head_revision} preview",
        facts=facts,
    )


async def _ask_comment(platform: Platform, work: Work, told: Told, preview: Preview) -> None:
    await ask_report(
        platform,
        work,
        project_id=told.project.id,
        source_type=told.hook.source_type,
        repository=told.hook.repository,
        kind="comment",
        target=str(preview.number),
        facts={"preview": preview.id},
    )
