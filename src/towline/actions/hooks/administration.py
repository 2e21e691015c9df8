"""Connecting repositories: each has one address and one secret, which can be replaced without a gap."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.platform import Platform
from towline.actions.repositories import to_repository
from towline.errors import Conflict, InvalidInput, NotFound
from towline.infra.database import Work
from towline.models.base import utc_now
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


async def create_hook(
    platform: Platform,
    work: Work,
    project: Project,
    *,
    source_type: str,
    address: str,
    rules: Sequence[Mapping[str, str]],
    project_file: str = "",
) -> NewHook:
    """Connect a repository to a project; Conflict when it is connected already, InvalidInput for no address."""
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
    return NewHook(hook, value)


def rotate_secret(platform: Platform, hook: Hook) -> NewHook:
    """A new secret; the one before stays valid for a day."""
    hook.old_secret, hook.old_secret_until = hook.secret, utc_now() + OVERLAP
    return NewHook(hook, _seal_new(platform, hook))


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


def _seal_new(platform: Platform, hook: Hook) -> str:
    value = secrets.token_urlsafe(32)
    hook.secret = platform.secrets.seal(value, context=hook_secret_context(hook))
    return value
