"""HTTP: previews of a project, and the rules for them."""

from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy import select

from towline.actions.access import Permission
from towline.actions.deploying import Wanted
from towline.actions.previews.creating import NewPreview, approve_preview, create_preview, touch, update_preview
from towline.actions.previews.finding import (
    PreviewMember,
    PreviewOverview,
    get_preview,
    get_preview_overview,
    list_previews,
)
from towline.actions.previews.removing import request_removal
from towline.actions.previews.rules import Rules, rules_of, rules_payload
from towline.actions.previews.settings import change_preview, set_rules, wake_preview
from towline.actions.services import get_service
from towline.contract.groups import GroupService
from towline.contract.previews import (
    Preview,
    PreviewApprove,
    PreviewCreate,
    PreviewList,
    PreviewQuery,
    PreviewRules,
    PreviewService,
    PreviewUpdate,
)
from towline.errors import InvalidInput
from towline.models.base import utc_now
from towline.models.previews import Preview as PreviewRow
from towline.models.projects import Environment
from towline.models.services import Service
from towline.values import DeploymentStatus, HealthStatus
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("previews.list")
async def list_(call: Call, query: PreviewQuery) -> PreviewList:
    """Previews of the project, newest first."""
    key = decode_cursor(query.cursor, str)
    found = await list_previews(
        call.platform,
        call.session,
        call.project.id,
        limit=query.limit + 1,
        below=str(key[0]) if key is not None else "",
        origin=query.origin or "",
    )
    page = page_of(list(found), limit=query.limit, key=_key)
    return PreviewList(items=[_shown(one) for one in page["items"]], next_cursor=page["next_cursor"])


@router.operation("previews.create")
async def create(call: Call, body: PreviewCreate) -> Preview:
    """A preview by hand; data is copied for those alone who may copy it elsewhere too."""
    if body.copies_data:
        await call.get_project(call.project.id, permission=Permission.MANAGE_SERVICES)
    wanted = NewPreview(
        name=body.name,
        title=body.title,
        ref=body.ref or "",
        base=body.base,
        main=body.main,
        scope=body.scope,
        shared=body.shared,
        sources=await _sources(call, ref=body.ref, services=body.services),
        copies=[(await get_service(call.session, call.project.id, name)).id for name in body.copies_data],
        lifetime=body.lifetime_seconds,
        is_protected_from_cap=body.is_protected_from_cap,
    )
    preview = await create_preview(call.platform, call.work, call.project, wanted, caller=call.caller)
    call.note(preview.id, name=body.name)
    return await _show(call, preview)


@router.operation("previews.get")
async def get(call: Call) -> Preview:
    """One preview."""
    return await _show(call, await _get(call))


@router.operation("previews.update")
async def update(call: Call, body: PreviewUpdate) -> Preview:
    """Change a preview; deploy it again where something is to be deployed."""
    preview = await _get(call)
    if body.protection is not None:
        await _check_protection(call, preview, body.protection)
    changes = body.model_dump(exclude_unset=True, include=set(_CHANGEABLE))
    await change_preview(call.platform, call.work, preview, changes)
    call.note(preview.id, **changes)
    if body.ref or body.services or body.deploy:
        sources = await _sources(call, ref=body.ref, services=body.services)
        preview.ref = body.ref or preview.ref
        await update_preview(call.platform, call.work, call.project, preview, caller=call.caller, sources=sources)
    return await _show(call, preview)


@router.operation("previews.delete")
async def delete(call: Call) -> None:
    """Remove a preview and all that belongs to it."""
    preview = await _get(call)
    call.note(preview.id, name=call.path["preview"])
    await request_removal(call.platform, call.work, preview, reason="Deleted.")


@router.operation("previews.extend")
async def extend(call: Call) -> Preview:
    """Let its lifetime begin anew."""
    preview = await _get(call)
    touch(preview, utc_now())
    call.note(preview.id)
    return await _show(call, preview)


@router.operation("previews.approve")
async def approve(call: Call, body: PreviewApprove) -> Preview:
    """Let a commit of a fork run."""
    preview = await _get(call)
    await approve_preview(call.platform, call.work, call.project, preview, revision=body.revision, caller=call.caller)
    call.note(preview.id, revision=body.revision, number=preview.number)
    return await _show(call, preview)


@router.operation("previews.wake")
async def wake(call: Call) -> Preview:
    """Wake it."""
    preview = await _get(call)
    await wake_preview(call.platform, call.work, preview)
    call.note(preview.id)
    return await _show(call, preview)


@router.operation("previews.getRules")
async def get_rules(call: Call) -> PreviewRules:
    """The rules for previews."""
    return _shown_rules(rules_of(call.project))


@router.operation("previews.updateRules")
async def update_rules(call: Call, body: PreviewRules) -> PreviewRules:
    """New rules; previews that are there stay as they are."""
    facts = body.model_dump()
    rules = await set_rules(call.platform, call.work, call.project, facts)
    call.note(call.project.id, **facts)
    return _shown_rules(rules)


_FROM_OPEN = ("none", "link", "sign_in")
_CHANGEABLE = ("title", "lifetime_seconds", "sleeps_after_seconds", "is_protected_from_cap", "protection")


async def _get(call: Call) -> PreviewRow:
    return await get_preview(call.work, call.project.id, call.path["preview"])


async def _check_protection(call: Call, preview: PreviewRow, wanted: str) -> None:
    """Making a preview more open than the project's rules say is for those who make the rules."""
    environment = await call.session.get_one(Environment, preview.environment_id)
    is_opened = _FROM_OPEN.index(wanted) < _FROM_OPEN.index(rules_of(call.project).protection)
    if is_opened and wanted != environment.protection:
        await call.get_project(call.project.id, permission=Permission.MANAGE_SERVICES)


async def _sources(call: Call, *, ref: str | None, services: Iterable[GroupService]) -> dict[str, Wanted]:
    """What is deployed of services by id: the ref of all that are built from git, and what is said of single ones."""
    sources: dict[str, Wanted] = {}
    if ref:
        query = select(Service).where(Service.project_id == call.project.id, Service.deleted_at.is_(None))
        rows = await call.session.scalars(query)
        sources = {row.id: Wanted(ref=ref) for row in rows if row.source_type not in {"upload", "custom"}}
        if not sources:
            raise InvalidInput("No service of the project is built from git.", field="ref")
    for one in services:
        service = await get_service(call.session, call.project.id, one.service)
        sources[service.id] = Wanted(
            ref=one.ref or "",
            upload=one.upload or "",
            image=one.image or "",
            dockerfile=one.dockerfile or "",
            no_cache=one.no_cache,
        )
    return sources


async def _show(call: Call, preview: PreviewRow) -> Preview:
    await call.session.flush()
    return _shown(await get_preview_overview(call.platform, call.session, preview))


def _shown(overview: PreviewOverview) -> Preview:
    row, main, group = overview.preview, overview.main, overview.group
    return Preview(
        id=row.id,
        name=overview.name,
        project_id=row.project_id,
        project=overview.project,
        environment_id=row.environment_id,
        base=overview.base,
        origin=cast("Any", row.origin),
        number=row.number,
        ref=row.ref,
        title=row.title,
        head_revision=row.head_revision,
        is_fork=row.is_fork,
        approved_revision=row.approved_revision,
        approved_by=overview.approved_by,
        state=cast("Any", row.state),
        url=next(iter(main.urls), None) if main is not None else None,
        main=main.service.name if main is not None else None,
        services=[_shown_member(one) for one in overview.members],
        status=DeploymentStatus(group.status) if group is not None else None,
        group=group.id if group is not None else None,
        is_asleep=overview.environment.sleep == "asleep",
        last_active_at=row.last_active_at,
        expires_at=row.expires_at,
        lifetime_seconds=row.lifetime,
        sleeps_after_seconds=overview.environment.sleeps_after,
        is_protected_from_cap=row.is_protected_from_cap,
        protection=cast("Any", overview.environment.protection),
        has_share_link=bool(overview.environment.share_secret),
        created_by=overview.created_by,
        created_at=row.created_at,
    )


def _shown_member(one: PreviewMember) -> PreviewService:
    return PreviewService(
        service_id=one.service.id,
        service=one.service.name,
        is_shared=one.is_shared,
        urls=list(one.urls),
        health=HealthStatus(one.health),
    )


def _shown_rules(rules: Rules) -> PreviewRules:
    return PreviewRules.model_validate(rules_payload(rules))


def _key(overview: PreviewOverview) -> tuple[str]:
    return (overview.preview.id,)
