"""How the platform itself is: each part by asking it, room on the machine, and what waits."""

import asyncio
import shutil
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from towline.actions.capacity import available_memory, total_memory
from towline.actions.installation import check_parts, get_engine_status
from towline.actions.platform import Platform
from towline.errors import TowlineError
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.history import Event
from towline.models.notifications import Trouble
from towline.models.projects import Project
from towline.models.services import Service
from towline.values import OPEN_STATUSES

_MOST_SHOWN: Final = 100
_LOOK_SECONDS: Final = 3.0
_LATE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the platform; `problem` is empty for one that works."""

    name: str
    title: str
    purpose: str
    detail: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of disk and memory: all, and what is free."""

    disk_total: int
    disk_free: int
    memory_total: int
    memory_available: int


async def list_parts(platform: Platform) -> Sequence[Part]:
    """Every part, asked now."""
    problems, engine, router, lag = await asyncio.gather(
        check_parts(platform), get_engine_status(platform), _ask_router(platform), _measure_lag(platform)
    )
    is_late = lag > _LATE_SECONDS
    late = f"An event has waited {lag:.0f} s: no worker does the periodic work." if is_late else ""
    database = problems["postgresql"] or problems["schema"]
    return (
        Part("postgresql", "PostgreSQL", "keeps everything", problem=database),
        Part("redis", "Valkey", "wakes workers, carries live lines", problem=problems["redis"]),
        Part("docker", "Docker", "builds and runs", detail=engine.version, problem=engine.problem),
        Part("traefik", "Traefik", "brings requests to services", detail=router[0], problem=router[1]),
        Part("conductor", "Periodic work", "health checks, schedules, clean-up", problem=late),
    )


async def list_queue(platform: Platform) -> Sequence[tuple[Deployment, str, str]]:
    """Deployments that are not final with the names of project and service, the oldest first."""
    query = (
        select(Deployment, Project.name, Service.name)
        .join(Project, Project.id == Deployment.project_id)
        .join(Service, Service.id == Deployment.service_id)
        .where(Deployment.status.in_(OPEN_STATUSES))
        .order_by(Deployment.created_at)
        .limit(_MOST_SHOWN)
    )
    async with platform.database.transaction() as work:
        return [(row, project, service) for row, project, service in await work.session.execute(query)]


async def list_troubles(platform: Platform) -> Sequence[Trouble]:
    """What is wrong with the machine or a certificate."""
    async with platform.database.transaction() as work:
        return (await work.session.scalars(select(Trouble).order_by(Trouble.since).limit(_MOST_SHOWN))).all()


def measure_room(platform: Platform) -> Room:
    """Disk and memory as they are now."""
    disk = shutil.disk_usage(platform.settings.data_dir)
    return Room(disk.total, disk.free, total_memory(), available_memory())


async def _ask_router(platform: Platform) -> tuple[str, str]:
    """The router's version, and what is wrong with it."""
    return await _told(platform.router.ping())


async def _told(look: Awaitable[str]) -> tuple[str, str]:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            return await look, ""
    except TowlineError as error:
        return "", error.message
    except TimeoutError:
        return "", "It does not answer in time."


async def _measure_lag(platform: Platform) -> float:
    """Seconds that the oldest event has waited to be published."""
    async with platform.database.transaction() as work:
        oldest = await work.session.scalar(select(func.min(Event.created_at)).where(Event.sequence.is_(None)))
    return 0.0 if oldest is None else max(0.0, (utc_now() - oldest).total_seconds())
