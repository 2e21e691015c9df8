"""Copying data: volumes of a preview that runs are filled from its base environment, where that was asked for."""

import logging

from sqlalchemy import func, select

from towline.actions.access import Caller
from towline.actions.backups.subjects import Subject, load_subject
from towline.actions.platform import Platform
from towline.actions.restores.requests import request_copy
from towline.errors import Conflict, TowlineError
from towline.infra.database import Work
from towline.models.previews import Preview
from towline.models.services import Workload

_log = logging.getLogger(__name__)


async def copy_data(platform: Platform) -> None:
    """Ask for one copy of each preview that still wants some; what is busy now is left to the next round."""
    wanted = (Preview.state == "active", func.jsonb_array_length(Preview.copies) > 0)
    async with platform.database.transaction() as work:
        preview_ids = (await work.session.scalars(select(Preview.id).where(*wanted).order_by(Preview.id))).all()
    for preview_id in preview_ids:
        try:
            async with platform.database.transaction() as work:
                await _copy_one(platform, work, preview_id)
        except Conflict as error:
            _log.info("Data of preview %s is copied later: %s", preview_id, error)
        except TowlineError as error:
            _log.warning("Data of preview %s could not be copied: %s", preview_id, error)
            await _give_up_one(platform, preview_id)


async def _copy_one(platform: Platform, work: Work, preview_id: str) -> None:
    preview = await work.session.get_one(Preview, preview_id, with_for_update=True)
    if not preview.copies:
        return
    service_id, volume = preview.copies[0]
    source = await _find_subject(work, service_id, preview.base_environment_id)
    target = await _find_subject(work, service_id, preview.environment_id)
    if target is None or target.workload.release_id is None:
        return
    preview.copies = preview.copies[1:]
    if source is not None and source.workload.release_id is not None:
        caller = Caller(user_id=preview.created_by)
        await request_copy(platform, work, source, volume=volume, target=target, caller=caller)


async def _give_up_one(platform: Platform, preview_id: str) -> None:
    async with platform.database.transaction() as work:
        preview = await work.session.get(Preview, preview_id, with_for_update=True)
        if preview is not None:
            preview.copies = preview.copies[1:]


async def _find_subject(work: Work, service_id: str, environment_id: str) -> Subject | None:
    query = select(Workload.id).where(Workload.service_id == service_id, Workload.environment_id == environment_id)
    workload_id = await work.session.scalar(query.with_for_update())
    return None if workload_id is None else await load_subject(work, workload_id)
