"""The installation itself: whether its parts answer, what waits, and its figures."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Final

from sqlalchemy import Select, func, select

from towline.actions.platform import Platform
from towline.actions.routes import certificate_for, route_url
from towline.actions.schema_version import is_current
from towline.errors import TowlineError, Unavailable
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.history import Event
from towline.names import first_id
from towline.values import OPEN_STATUSES

_LOOK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Docker as Towline sees it: its version, or what is wrong."""

    version: str
    problem: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers for monitoring. `relay_lag` is the age of the oldest event that was not published yet."""

    open_deployments: dict[str, int]
    ended_last_day: dict[str, int]
    relay_lag: timedelta


async def check_parts(platform: Platform) -> dict[str, str]:
    """What is wrong with each part requests need, by its name; empty for a part that works."""
    names = ("postgresql", "redis", "schema")
    looks = (platform.database.ping(), _check_redis(platform), _check_schema(platform))
    problems = await asyncio.gather(*(_problem_of(look) for look in looks))
    return dict(zip(names, problems, strict=True))


async def get_engine_status(platform: Platform) -> EngineStatus:
    """Whether Docker answers, and which version."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            return EngineStatus(await platform.orchestrator.ping(), "")
    except TowlineError as error:
        return EngineStatus("", error.message)
    except TimeoutError:
        return EngineStatus("", "Docker does not answer in time.")


async def count_open(work: Work) -> dict[str, int]:
    """How many deployments have each status that is not final, from the index of those."""
    counts = dict((await work.session.execute(_open())).all())
    return {status: counts.get(status, 0) for status in OPEN_STATUSES}


@cache
def _open() -> Select[str, int]:
    is_open = Deployment.status.in_(OPEN_STATUSES)
    return select(Deployment.status, func.count()).where(is_open).group_by(Deployment.status)


async def get_figures(platform: Platform) -> Figures:
    """The figures of now; cheap however long the history is."""
    now = utc_now()
    since = first_id("dep", now - timedelta(days=1))
    recent = select(Deployment.status, func.count()).where(
        Deployment.id >= since, Deployment.status.not_in(OPEN_STATUSES)
    )
    async with platform.database.transaction() as work:
        opened = await count_open(work)
        ended = await work.session.execute(recent.group_by(Deployment.status))
        oldest = await work.session.scalar(select(func.min(Event.created_at)).where(Event.sequence.is_(None)))
    lag = timedelta() if oldest is None else max(timedelta(), now - oldest)
    return Figures(opened, dict(ended.all()), lag)


def platform_url(platform: Platform) -> str:
    """The address of API and dashboard, as a person opens it."""
    return url_of_host(platform, platform.settings.effective_platform_host)


def url_of_host(platform: Platform, host: str) -> str:
    """The same at another host of Towline."""
    return route_url(platform, host=host, certificate=certificate_for(platform, host))


async def _check_redis(platform: Platform) -> None:
    if not await platform.streams.ping():
        raise Unavailable("Redis does not answer.")


async def _check_schema(platform: Platform) -> None:
    if not await is_current(platform.database):
        raise Unavailable("The database waits for a migration.")


async def _problem_of(look: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await look
    except TowlineError as error:
        return error.message
    except TimeoutError:
        return "It does not answer in time."
    return ""
