"""The janitor: keeps releases, images, bundles, logs and history within their budgets; never what is still needed."""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from towline.actions.audit_chain import trim_audit
from towline.actions.metrics.thinning import thin_samples
from towline.actions.notifications.history import forget_old_notifications
from towline.actions.platform import Platform
from towline.actions.private_images import forget_removed_images
from towline.actions.runs.history import forget_old_runs
from towline.actions.sessions import forget_old_sessions
from towline.actions.strays import remove_strays
from towline.actions.tickets import forget_old_tickets
from towline.errors import TowlineError
from towline.infra.database import Work
from towline.infra.scratch import memory_folder, remove_leftovers
from towline.models.base import utc_now
from towline.models.deployments import Build, Deployment, Release, Upload
from towline.models.history import Event, HealthCheck, IdempotentAnswer, Log, LogLine
from towline.models.services import Workload
from towline.models.webhook_secrets import ServiceCall
from towline.values import OPEN_STATUSES

_EVENTS_KEPT = timedelta(days=30)
_HEALTH_KEPT = timedelta(days=7)
_ANSWERS_KEPT = timedelta(days=1)
_LINES_AT_ONCE = 20_000
_LINES_WEIGHED = 2000
_LONGEST_LINE = 16_384 * 4  # bytes of UTF-8


async def clean_up(platform: Platform) -> None:
    """One round over everything that grows."""
    await forget_old_releases(platform)
    await remove_strays(platform)
    await remove_unneeded(platform)
    await trim_history(platform)
    await thin_samples(platform)
    await forget_old_runs(platform)
    await forget_old_notifications(platform)
    await trim_logs(platform)
    await trim_audit(platform)


async def remove_unneeded(platform: Platform) -> None:
    """Remove images and bundles that nothing needs any more."""
    await remove_unneeded_images(platform)
    await forget_removed_images(platform)
    await remove_unneeded_bundles(platform)


async def remove_temporary_folders(platform: Platform) -> None:
    """Remove temporary folders of processes that died."""
    settings = platform.settings
    folders = (settings.data_dir / "tmp", settings.artifacts_dir / "tmp", settings.data_dir / "uploads" / "tmp")
    for parent in (*folders, memory_folder("builds")):
        await asyncio.to_thread(remove_leftovers, parent)


async def forget_old_releases(platform: Platform) -> None:
    """Keep the newest releases of each workload and the one that serves; the others can no longer be gone back to."""
    number = func.row_number().over(partition_by=Release.workload_id, order_by=Release.number.desc())
    ranked = select(Release.id, number.label("rank")).where(Release.is_kept).subquery()
    serving = select(Workload.release_id).where(Workload.release_id.is_not(None))
    wanted = select(Deployment.rollback_to).where(
        Deployment.status.in_(OPEN_STATUSES), Deployment.rollback_to.is_not(None)
    )
    too_old = select(ranked.c.id).where(ranked.c.rank > platform.settings.kept_releases)
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(Release)
            .where(Release.id.in_(too_old), Release.id.not_in(serving), Release.id.not_in(wanted))
            .values(is_kept=False)
        )


async def cleanup_old_deployments(platform: Platform, project_id: str, *, keep_count: int) -> int:
    """Keep the bundles and images of a project's newest `keep_count` releases per workload; return the bytes freed."""
    number = func.row_number().over(partition_by=Release.workload_id, order_by=Release.number.desc())
    mine = select(Workload.id).where(Workload.project_id == project_id)
    ranked = select(Release.id, number.label("rank")).where(Release.workload_id.in_(mine)).subquery()
    too_old = select(ranked.c.id).where(ranked.c.rank > keep_count)
    serving = select(Workload.release_id).where(Workload.release_id.is_not(None))
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(Release).where(Release.id.in_(too_old), Release.id.not_in(serving)).values(is_kept=False)
        )
    await remove_unneeded_images(platform)
    return await remove_unneeded_bundles(platform)


async def remove_unneeded_images(platform: Platform) -> None:
    """Remove images no kept release, open deployment or build of the last day refers to."""
    # Listed first, so that an image that comes meanwhile is not among those removed.
    images = await platform.orchestrator.list_images()
    async with platform.database.transaction() as work:
        needed = await _needed_images(work)
    for image in images:
        if image.reference not in needed and image.digest not in needed:
            try:
                await platform.orchestrator.remove_image(image.reference)
            except TowlineError:
                continue
    async with platform.database.transaction() as work:
        await work.session.execute(delete(Build).where(Build.image.not_in(needed), Build.used_at < _recent()))


async def remove_unneeded_bundles(platform: Platform) -> int:
    """Remove bundles and uploads nothing refers to any more; return the bytes freed."""
    recent = _recent()
    async with platform.database.transaction() as work:
        releases = await work.session.scalars(select(Release.bundle_digest).where(Release.is_kept))
        still_open = (Deployment.status.in_(OPEN_STATUSES)) | (Deployment.created_at > recent)
        deployments = await work.session.scalars(select(Deployment.bundle_digest).where(still_open))
        needed = {digest for digest in [*releases, *deployments] if digest}
        await work.session.execute(
            delete(Upload).where(Upload.created_at < recent, Upload.bundle_digest.not_in(needed))
        )
        uploads = set(await work.session.scalars(select(Upload.digest)))
    freed = await platform.storage.cleanup_old_deployments(sorted(needed))
    return freed + await platform.uploads.cleanup_uploads(sorted(uploads))


async def trim_history(platform: Platform) -> None:
    """Forget events, health checks, repeated answers, sessions and tickets that are too old."""
    now = utc_now()
    async with platform.database.transaction() as work:
        await work.session.execute(delete(Event).where(Event.created_at < now - _EVENTS_KEPT))
        await work.session.execute(delete(HealthCheck).where(HealthCheck.checked_at < now - _HEALTH_KEPT))
        await work.session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.created_at < now - _ANSWERS_KEPT))
        await work.session.execute(delete(ServiceCall).where(ServiceCall.created_at < now - _ANSWERS_KEPT))
        await forget_old_sessions(work, now=now)
        await forget_old_tickets(work, now=now)


async def trim_logs(platform: Platform) -> None:
    """Keep at most the set number of lines and bytes per log, and none older than the set days."""
    oldest = utc_now() - timedelta(days=platform.settings.kept_log_days)
    async with platform.database.transaction() as work:
        logs = (await work.session.scalars(select(Log).where(Log.last_sequence >= Log.first_sequence))).all()
    for log in logs:
        surplus = log.last_sequence - await _count_affordable_lines(platform, log)
        while await _trim_log(platform, log.id, oldest=oldest, up_to=surplus):
            pass


async def _count_affordable_lines(platform: Platform, log: Log) -> int:
    """How many lines may be kept, by the number and by the size that the newest ones have on the disk."""
    lines, size = platform.settings.kept_log_lines, platform.settings.kept_log_bytes
    if (log.last_sequence - log.first_sequence) * _LONGEST_LINE <= size:
        return lines
    newest = (
        select(func.pg_column_size(LogLine.message).label("size"))
        .where(LogLine.log_id == log.id)
        .order_by(LogLine.sequence.desc())
        .limit(_LINES_WEIGHED)
        .subquery()
    )
    async with platform.database.transaction() as work:
        mean = float(await work.session.scalar(select(func.avg(newest.c.size))) or 1)
    return min(lines, int(size / mean))


async def _trim_log(platform: Platform, log_id: int, *, oldest: object, up_to: int) -> bool:
    """Remove one bounded batch; True when there may be more."""
    async with platform.database.transaction() as work:
        too_old = (LogLine.at < oldest) | (LogLine.sequence <= up_to)
        first = (
            select(LogLine.sequence).where(LogLine.log_id == log_id).order_by(LogLine.sequence).limit(_LINES_AT_ONCE)
        )
        batch = first.subquery()
        removed = await work.session.scalars(
            delete(LogLine)
            .where(LogLine.log_id == log_id, LogLine.sequence.in_(select(batch.c.sequence)), too_old)
            .returning(LogLine.sequence)
        )
        numbers = removed.all()
        if numbers:
            await work.session.execute(update(Log).where(Log.id == log_id).values(first_sequence=max(numbers) + 1))
    return len(numbers) == _LINES_AT_ONCE


async def _needed_images(work: Work) -> set[str]:
    releases = await work.session.execute(select(Release.image, Release.image_digest).where(Release.is_kept))
    builds = await work.session.execute(select(Build.image, Build.image_digest).where(Build.used_at > _recent()))
    # A release that is promoted is named by the source alone until it is looked for.
    promoted = Deployment.source_config["image"].astext
    open_images = await work.session.execute(
        select(Deployment.image, promoted).where(Deployment.status.in_(OPEN_STATUSES))
    )
    return {name for row in [*releases, *builds, *open_images] for name in row if name}


def _recent() -> datetime:
    return utc_now() - timedelta(days=1)
