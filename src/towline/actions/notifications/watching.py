"""Troubles that no service has: a full disk, a certificate that cannot be had; told when they begin and end."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from towline.actions.domains import list_certificate_problems
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.config import Settings
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.notifications import Trouble
from towline.models.services import Route, Workload

_ROUTES_AT_ONCE: Final = 20
_CERTIFICATE: Final = "certificate.failed"
_DISK: Final = "disk.low"
_PATIENCE: Final = {_CERTIFICATE: timedelta(minutes=10), _DISK: timedelta()}
_ENDS: Final = {_CERTIFICATE: "certificate.recovered", _DISK: "disk.recovered"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A trouble as it is now; `key` tells it from others."""

    kind: str
    message: str
    project_id: str | None = None


async def watch_troubles(platform: Platform) -> None:
    """Look for troubles; an event for each that has begun, once it has lasted, and for each of those that has ended."""
    seen = {**_look_at_disk(platform.settings), **await _look_at_certificates(platform)}
    async with platform.database.transaction() as work:
        known = {trouble.key: trouble for trouble in await work.session.scalars(select(Trouble))}
        for key, now in seen.items():
            trouble = known.get(key) or _begin(work, key, now)
            trouble.message = now.message
            if trouble.told_at is None and utc_now() - trouble.since >= _PATIENCE[now.kind]:
                trouble.told_at = utc_now()
                _tell(platform, work, trouble, now.kind, message=now.message)
        for key in known.keys() - seen.keys():
            await _end(platform, work, known[key])


def _begin(work: Work, key: str, now: Seen) -> Trouble:
    trouble = Trouble(key=key, kind=now.kind, project_id=now.project_id, message=now.message, since=utc_now())
    work.session.add(trouble)
    return trouble


async def _end(platform: Platform, work: Work, trouble: Trouble) -> None:
    await work.session.delete(trouble)
    if trouble.told_at is not None:
        _tell(platform, work, trouble, _ENDS[trouble.kind], message=trouble.key.partition(":")[2])


def free_disk_wanted(settings: Settings, total: int) -> int:
    """Free bytes of the data folder's disk below which administrators are told: a tenth of it, at most 10 GB."""
    return max(settings.minimum_free_disk_bytes, min(total // 10, 10 * 1024**3))


def _look_at_disk(settings: Settings) -> Mapping[str, Seen]:
    disk = shutil.disk_usage(settings.data_dir)
    if disk.free >= free_disk_wanted(settings, disk.total):
        return {}
    message = f"{disk.free // 1024**2} MB of {disk.total // 1024**2} MB are free; builds wait below "
    return {"disk": Seen(_DISK, f"{message}{settings.minimum_free_disk_bytes // 1024**2} MB.")}


async def _look_at_certificates(platform: Platform) -> Mapping[str, Seen]:
    query = select(Route, Workload.project_id).join(Workload, Workload.id == Route.workload_id)
    async with platform.database.transaction() as work:
        rows = (
            await work.session.execute(query.where(Route.certificate.in_(("acme", "wildcard"))).order_by(Route.id))
        ).all()
    routes: dict[str, tuple[Route, str]] = {route.host: (route, project_id) for route, project_id in rows}
    found: dict[str, Seen] = {}
    hosts = list(routes)
    for first in range(0, len(hosts), _ROUTES_AT_ONCE):
        batch = hosts[first : first + _ROUTES_AT_ONCE]
        problems: Sequence[str] = await list_certificate_problems(platform, [routes[host][0] for host in batch])
        for host, problem in zip(batch, problems, strict=True):
            if problem:
                found[f"certificate:{host}"] = Seen(_CERTIFICATE, f"{host}: {problem}", routes[host][1])
    return found


def _tell(platform: Platform, work: Work, trouble: Trouble, type_: str, *, message: str) -> None:
    emit(platform, work, type_, project_id=trouble.project_id or "", data={"key": trouble.key, "message": message})
