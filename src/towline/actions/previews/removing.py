"""Removing previews: their environment is deleted at once, what it leaves behind as soon as nothing of it runs."""

import logging
from collections.abc import Sequence

from sqlalchemy import Select, delete, or_, select, union

from towline.actions.deletion import delete_environment, publish_soon
from towline.actions.deployments.waiting import OPEN
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.previews.leftovers import list_leftovers
from towline.actions.removal import REMOVED
from towline.errors import TowlineError
from towline.infra.database import Work
from towline.models.backups import Backup, Restore
from towline.models.deployments import Build, Deployment, Release
from towline.models.groups import Group
from towline.models.history import Log
from towline.models.previews import Preview
from towline.models.projects import Environment
from towline.models.runs import CronRun
from towline.models.services import Workload

_log = logging.getLogger(__name__)


async def request_removal(platform: Platform, work: Work, preview: Preview, *, reason: str = "") -> None:
    """Remove a preview with all that belongs to it: nothing of it is routed any more, the rest goes soon after."""
    if preview.state == "removing":
        return
    environment = await work.session.get_one(Environment, preview.environment_id)
    preview.state, preview.removal_reason = "removing", reason
    if environment.deleted_at is None:
        await delete_environment(platform, work, environment)
    await work.session.flush()
    if preview.shared:
        publish_soon(platform, work, {preview.base_environment_id})
    work.after_commit(lambda: platform.bell.ring("previews"))


async def remove_previews(platform: Platform) -> int:
    """Finish what was asked for: each preview of which nothing runs any more leaves no rows behind; how many went.

    A failure is left to the next round, which begins where this one ended.
    """
    removed = 0
    for preview in await _list_leaving(platform):
        try:
            removed += await remove_preview(platform, preview)
        except TowlineError as error:
            _log.warning("Preview %s is not removed yet: %s", preview.id, error)
    return removed


async def remove_preview(platform: Platform, preview: Preview) -> bool:
    """Delete all rows and dumps of a preview, its own row with them; False while something of it is left."""
    async with platform.database.transaction() as work:
        if await _is_busy(work, preview.environment_id):
            return False
    if left := await list_leftovers(platform, preview.environment_id):
        _log.info("Of preview %s there is still: %s", preview.id, ", ".join(left))
        return False
    async with platform.database.transaction() as work:
        dumps = await work.session.scalars(select(Backup.id).where(Backup.environment_id == preview.environment_id))
        dump_ids = dumps.all()
    for dump_id in dump_ids:
        await platform.dumps.delete(dump_id)
    async with platform.database.transaction() as work:
        await _delete_rows(platform, work, preview)
    return True


async def _list_leaving(platform: Platform) -> Sequence[Preview]:
    """Previews that are being removed; those whose environment or project was deleted are from now on."""
    query = (
        select(Preview)
        .join(Environment, Environment.id == Preview.environment_id)
        .where(or_(Preview.state == "removing", Environment.deleted_at.is_not(None)))
        .order_by(Preview.id)
    )
    async with platform.database.transaction() as work:
        found = (await work.session.scalars(query)).all()
        for preview in found:
            preview.state = "removing"
    return found


async def _is_busy(work: Work, environment_id: str) -> bool:
    """Whether something still runs there, or waits to be taken down by the reconciler."""
    queries: list[Select[str]] = [
        select(Workload.id).where(Workload.environment_id == environment_id, Workload.wanted != REMOVED),
        select(Deployment.id).where(Deployment.environment_id == environment_id, Deployment.status.in_(OPEN)),
        select(Group.id).where(Group.environment_id == environment_id, Group.status.in_(OPEN)),
        select(Environment.id).where(Environment.id == environment_id, Environment.network != ""),
        *(
            select(model.id).where(model.environment_id == environment_id, model.status.in_(("queued", "running")))
            for model in (Backup, Restore)
        ),
    ]
    return await work.session.scalar(union(*queries).limit(1)) is not None


async def _delete_rows(platform: Platform, work: Work, preview: Preview) -> None:
    """All rows of the environment; the log and the audit log of the project keep that there was one."""
    session, environment_id = work.session, preview.environment_id
    mine = Workload.environment_id == environment_id
    workload_ids = select(Workload.id).where(mine)
    owners = union(
        workload_ids,
        select(Deployment.id).where(Deployment.environment_id == environment_id),
        select(CronRun.id).where(CronRun.workload_id.in_(workload_ids)),
    ).subquery()
    await session.execute(delete(Log).where(Log.owner_id.in_(select(owners.c.id))))
    await _forget_builds(work, preview, workload_ids)
    environment = await session.get(Environment, environment_id)
    name = environment.name.partition("~")[0] if environment is not None else ""
    facts = {"preview": preview.id, "environment": name, "message": preview.removal_reason}
    emit(platform, work, "preview.removed", project_id=preview.project_id, data=facts)
    await session.execute(delete(Environment).where(Environment.id == environment_id))


async def _forget_builds(work: Work, preview: Preview, workload_ids: Select[str]) -> None:
    """Forget the builds whose image no release elsewhere has, so that the images go at once and not after a day."""
    images = select(Release.image).where(Release.workload_id.in_(workload_ids))
    kept = select(Release.image).where(Release.workload_id.not_in(workload_ids), Release.is_kept)
    deploying = select(Deployment.image).where(
        Deployment.environment_id != preview.environment_id, Deployment.status.in_(OPEN)
    )
    await work.session.execute(
        delete(Build).where(
            Build.project_id == preview.project_id,
            Build.image.in_(images),
            Build.image.not_in(kept),
            Build.image.not_in(deploying),
        )
    )
