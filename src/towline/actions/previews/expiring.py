"""Expiry: previews nobody used for their lifetime, and those above the project's cap, are removed by the conductor."""

from sqlalchemy import func, select

from towline.actions.platform import Platform
from towline.actions.previews.creating import tell, touch
from towline.actions.previews.removing import request_removal
from towline.actions.previews.rules import rules_of
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.previews import Preview
from towline.models.projects import Environment, Project

_AT_ONCE = 50


async def expire_and_cap(platform: Platform) -> None:
    """Ask for the removal of every preview whose time is over, and of those too many since a cap was lowered."""
    await _note_visits(platform)
    while await _expire_some(platform):
        pass
    async with platform.database.transaction() as work:
        counts = select(Preview.project_id).where(Preview.state != "removing").group_by(Preview.project_id)
        project_ids = (await work.session.scalars(counts.having(func.count() > 1))).all()
    for project_id in project_ids:
        async with platform.database.transaction() as work:
            await _cap(platform, work, project_id)


async def _note_visits(platform: Platform) -> None:
    """Let visits count as use: what was asked for lately stays for its lifetime from then on."""
    query = (
        select(Preview, Environment.last_asked_at)
        .join(Environment, Environment.id == Preview.environment_id)
        .where(Preview.state != "removing", Environment.last_asked_at > Preview.last_active_at)
        .with_for_update(of=Preview)
    )
    async with platform.database.transaction() as work:
        for preview, asked_at in await work.session.execute(query):
            touch(preview, asked_at or preview.last_active_at)


async def _expire_some(platform: Platform) -> bool:
    """Expire one bounded batch; True when there may be more."""
    query = select(Preview).where(Preview.state != "removing", Preview.expires_at <= utc_now())
    batch = query.order_by(Preview.expires_at).limit(_AT_ONCE).with_for_update(skip_locked=True)
    async with platform.database.transaction() as work:
        found = (await work.session.scalars(batch)).all()
        for preview in found:
            await _expire(platform, work, preview, reason="Nobody used it for its lifetime.")
    return len(found) == _AT_ONCE


async def _cap(platform: Platform, work: Work, project_id: str) -> None:
    project = await work.session.get_one(Project, project_id)
    mine = (Preview.project_id == project_id, Preview.state != "removing")
    count = await work.session.scalar(select(func.count()).select_from(Preview).where(*mine)) or 0
    surplus = count - rules_of(project).cap
    if surplus <= 0:
        return
    query = select(Preview).where(*mine, Preview.is_protected_from_cap.is_(False))
    oldest = query.order_by(Preview.last_active_at, Preview.id).limit(surplus).with_for_update()
    for preview in await work.session.scalars(oldest):
        await _expire(platform, work, preview, reason="The project has more previews than it may have.")


async def _expire(platform: Platform, work: Work, preview: Preview, *, reason: str) -> None:
    environment = await work.session.get_one(Environment, preview.environment_id)
    tell(platform, work, preview, "expired", environment)
    await request_removal(platform, work, preview, reason=reason)
