"""Connecting repositories: each has one address and one secret, which can be replaced without a gap."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.connections.asking import ask_report
from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.actions.repositories import to_repository
from towline.errors import Conflict, InvalidInput, NotFound
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.connections import HostReport
from towline.models.hooks import Hook, HookDelivery
from towline.models.projects import Project
from towline.names import new_id

OVERLAP: Final = timedelta(hours=24)
_MOST_HOOKS: Final = 100


@dataclass(frozen=True, slots=True)
class NewHook:
    """A hook with the value of its secret, which is shown this once."""

    hook: Hook
    secret: str


def hook_secret_context(hook: Hook) -> str:
    """What a hook's sealed secrets are bound to."""
    return f"hook:{hook.id}"


def hook_url(platform: Platform, hook: Hook) -> str:
    """The address that a hook's sender sends to."""
    return f"{platform_url(platform)}/hooks/{hook.source_type}/{hook.id}"


async def create_hook(
    platform: Platform,
    work: Work,
    project: Project,
    *,
    source_type: str,
    address: str,
    rules: Sequence[Mapping[str, str]],
    project_file: str = "",
    registers: bool = False,
) -> NewHook:
    """Connect a repository to a project; Conflict when it is connected already, InvalidInput for no address.

    Registering makes the webhook at the platform, afterwards, where a connection reaches it.
    """
    repository = to_repository(address)
    if not repository:
        raise InvalidInput(f"{address[:200]!r} is no address of a repository.", field="repository")
    rows = (await work.session.scalars(select(Hook).where(Hook.project_id == project.id).with_for_update())).all()
    if any(row.repository == repository for row in rows):
        raise Conflict(f"{repository} is connected already.", hint="Rotate its secret with `towline hooks rotate`.")
    if len(rows) >= _MOST_HOOKS:
        raise Conflict(f"A project can have {_MOST_HOOKS} hooks.")
    hook = Hook(
        id=new_id("hok"),
        created_at=utc_now(),
        project_id=project.id,
        source_type=source_type,
        repository=repository,
        rules=[dict(rule) for rule in rules],
        project_file=project_file,
    )
    value = _seal_new(platform, hook)
    work.session.add(hook)
    await work.session.flush()
    if registers:
        await _ask_registration(platform, work, hook)
    return NewHook(hook, value)


async def rotate_secret(platform: Platform, work: Work, hook: Hook) -> NewHook:
    """A new secret; the one before stays valid for a day. A registered webhook gets it by itself."""
    hook.old_secret, hook.old_secret_until = hook.secret, utc_now() + OVERLAP
    made = NewHook(hook, _seal_new(platform, hook))
    if (await list_registrations(work.session, [hook])).get(hook.id) is not None:
        await _ask_registration(platform, work, hook)
    return made


async def delete_hook(platform: Platform, work: Work, hook: Hook) -> None:
    """Disconnect a repository; a webhook that was registered is deleted at the platform afterwards."""
    registration = (await list_registrations(work.session, [hook])).get(hook.id)
    if registration is not None:
        if registration.remote_id:
            await ask_report(
                platform,
                work,
                project_id=hook.project_id,
                source_type=hook.source_type,
                repository=hook.repository,
                kind="hook_removal",
                target=registration.remote_id,
                facts={},
            )
        await work.session.delete(registration)
    await work.session.delete(hook)


async def list_registrations(session: AsyncSession, hooks: Sequence[Hook]) -> Mapping[str, HostReport]:
    """How far the registration of each hook's webhook at its platform is, by the hook's id; without those by hand."""
    query = select(HostReport).where(HostReport.kind == "hook", HostReport.target.in_([hook.id for hook in hooks]))
    return {report.target: report for report in await session.scalars(query)}


async def list_report_problems(session: AsyncSession, project_id: str) -> Mapping[str, str]:
    """Why a project's platforms could not be told of the newest status or comment, by repository.

    A repository whose newest status and comment were told has none.
    """
    was_tried = or_(HostReport.error != "", HostReport.sent_at.is_not(None))
    query = (
        select(HostReport.repository, HostReport.error)
        .where(HostReport.project_id == project_id, HostReport.kind.in_(("status", "comment")), was_tried)
        .ext(distinct_on(HostReport.repository, HostReport.kind))
        .order_by(HostReport.repository, HostReport.kind, HostReport.created_at.desc(), HostReport.id.desc())
    )
    return {repository: error for repository, error in await session.execute(query) if error}


async def get_hook(session: AsyncSession, project_id: str, hook_id: str) -> Hook:
    """A project's hook; NotFound otherwise."""
    hook = (await session.scalars(select(Hook).where(Hook.project_id == project_id, Hook.id == hook_id))).one_or_none()
    if hook is None:
        raise NotFound("The project has no such hook.", hint="List them with `towline hooks list`.")
    return hook


async def list_hooks(session: AsyncSession, project_id: str) -> Sequence[Hook]:
    """A project's hooks by repository."""
    return (await session.scalars(select(Hook).where(Hook.project_id == project_id).order_by(Hook.repository))).all()


async def list_deliveries(
    session: AsyncSession, hook: Hook, *, limit: int, after: tuple[datetime, str] | None
) -> Sequence[HookDelivery]:
    """What a hook was told, newest first."""
    query = select(HookDelivery).where(HookDelivery.hook_id == hook.id)
    if after is not None:
        query = query.where(tuple_(HookDelivery.created_at, HookDelivery.id) < after)
    newest = query.order_by(HookDelivery.created_at.desc(), HookDelivery.id.desc()).limit(limit)
    return (await session.scalars(newest)).all()


def open_secrets(platform: Platform, hook: Hook) -> list[str]:
    """The secrets that are valid now, newest first."""
    sealed = [hook.secret]
    if hook.old_secret is not None and hook.old_secret_until is not None and hook.old_secret_until > utc_now():
        sealed.append(hook.old_secret)
    return [platform.secrets.open_text(value, context=hook_secret_context(hook)) for value in sealed]


async def _ask_registration(platform: Platform, work: Work, hook: Hook) -> None:
    await ask_report(
        platform,
        work,
        project_id=hook.project_id,
        source_type=hook.source_type,
        repository=hook.repository,
        kind="hook",
        target=hook.id,
        facts={},
    )


def _seal_new(platform: Platform, hook: Hook) -> str:
    value = secrets.token_urlsafe(32)
    hook.secret = platform.secrets.seal(value, context=hook_secret_context(hook))
    return value
