"""Activity: who is asked for, told from the router's own count of requests; the monitor's looks are not in it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, func, or_, select, update

from towline.actions.platform import Platform
from towline.actions.previews.creating import touch
from towline.actions.routes import route_key
from towline.actions.sleep import Sleep
from towline.actions.sleeping.falling_asleep import fall_asleep, finish_falling_asleep
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.previews import Preview
from towline.models.projects import Environment
from towline.models.services import Route, Workload
from towline.values import OPEN_STATUSES, EnvironmentKind

_TOUCH_EVERY: Final = timedelta(minutes=1)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Watched:
    """An environment whose requests matter, and the keys of its routes."""

    id: str
    keys: Sequence[str]


class Activity:
    """What one conductor has seen of requests so far; what it knows beyond the rows may be lost at any time.

    Nothing falls asleep before it was watched for as long as it has to be unasked for: what came in before this
    process began to count is not known.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._counts: Mapping[str, int] | None = None
        self._since = utc_now()

    async def look(self, *, now: datetime | None = None) -> None:
        """Note who was asked for since the last look, and let fall asleep who was not for long enough."""
        if not self._platform.router.has_doors:
            return
        now = now or utc_now()
        await finish_falling_asleep(self._platform)
        async with self._platform.database.transaction() as work:
            watched = await _list_watched(work)
        if not watched:
            self._counts, self._since = None, now
            return
        await self._note(watched, now=now)
        for environment_id in await self._list_tired(now):
            await self._send_to_sleep(environment_id, now=now)

    async def _note(self, watched: Sequence[_Watched], *, now: datetime) -> None:
        totals = await self._platform.router.get_request_totals()
        counts = {key: total.requests for key, total in totals.items()}
        before, self._counts = self._counts, counts
        if before is None:
            self._since = now
            return
        # Only what has reached a service is counted: nothing that a gate or an address list has refused.
        asked = [one.id for one in watched if any(_has_more(counts, before, key) for key in one.keys)]
        if asked:
            async with self._platform.database.transaction() as work:
                await note_asked(work, asked, now=now)

    async def _list_tired(self, now: datetime) -> Sequence[str]:
        """Environments that were not asked for, deployed to, or new for as long as their setting says."""
        limit = func.make_interval(0, 0, 0, 0, 0, 0, Environment.sleeps_after)
        since = func.greatest(Environment.last_asked_at, Environment.created_at, self._since)
        is_busy = exists().where(
            Deployment.environment_id == Environment.id,
            or_(Deployment.status.in_(OPEN_STATUSES), Deployment.finished_at > now - limit),
        )
        has_route = exists().where(Workload.environment_id == Environment.id, Route.workload_id == Workload.id)
        query = (
            select(Environment.id)
            .where(Environment.sleeps_after.is_not(None), Environment.sleep == Sleep.AWAKE)
            .where(Environment.deleted_at.is_(None), since + limit < now, has_route, ~is_busy)
            .order_by(Environment.id)
        )
        async with self._platform.database.transaction() as work:
            return (await work.session.scalars(query)).all()

    async def _send_to_sleep(self, environment_id: str, *, now: datetime) -> None:
        opened = await self._platform.router.get_open_requests(environment_id)
        if any(opened.values()):
            return  # a download, a stream or a websocket is somebody's, for as long as it lasts
        if await fall_asleep(self._platform, environment_id, now=now):
            _log.info("The environment %s was not asked for and falls asleep", environment_id)


async def note_asked(work: Work, environment_ids: Sequence[str], *, now: datetime) -> None:
    """Remember that environments are asked for now, which extends the lives of those that are previews."""
    # Previews before environments, as whoever changes a preview locks them.
    is_due = Preview.last_active_at < now - _TOUCH_EVERY
    previews = select(Preview).where(Preview.environment_id.in_(environment_ids), is_due).order_by(Preview.id)
    for preview in await work.session.scalars(previews.with_for_update()):
        touch(preview, now)
    is_older = or_(Environment.last_asked_at.is_(None), Environment.last_asked_at < now)
    await work.session.execute(
        update(Environment)
        .where(Environment.id.in_(environment_ids), is_older)
        .values(last_asked_at=now)
        .execution_options(synchronize_session=False)
    )


def _has_more(counts: Mapping[str, int], before: Mapping[str, int], key: str) -> bool:
    """Whether a route had requests since; a router that was started anew counts from 0."""
    count, earlier = counts.get(key, 0), before.get(key, 0)
    return count > earlier or 0 < count < earlier


async def _list_watched(work: Work) -> Sequence[_Watched]:
    query = (
        select(Environment.id, func.array_agg(Route.id).label("routes"))
        .join(Workload, Workload.environment_id == Environment.id)
        .join(Route, Route.workload_id == Workload.id)
        .where(Environment.deleted_at.is_(None))
        .where(or_(Environment.sleeps_after.is_not(None), Environment.kind == EnvironmentKind.PREVIEW))
        .group_by(Environment.id)
    )
    return [_Watched(row.id, [route_key(route) for route in row.routes]) for row in await work.session.execute(query)]
