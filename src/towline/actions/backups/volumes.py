"""Volumes of workloads: listed with their size, and filled from a snapshot."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from sqlalchemy import select

from towline.actions.backups.subjects import Subject
from towline.actions.platform import Platform
from towline.actions.settings import volume_name
from towline.errors import TimedOut
from towline.models.backups import Backup, Restore
from towline.models.projects import Environment
from towline.models.services import Service, Workload

_SIZE_SECONDS = 10.0
_STOP_SECONDS = 120.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class VolumeOverview:
    """A volume of a service in an environment; the size is None where it could not be counted in time."""

    service: str
    environment: str
    name: str
    path: str
    is_there: bool
    size: int | None


async def list_volumes(platform: Platform, project_id: str) -> Sequence[VolumeOverview]:
    """Volumes of a project by service and environment."""
    query = (
        select(Service, Environment, Workload.id)
        .join(Workload, Workload.service_id == Service.id)
        .join(Environment, Environment.id == Workload.environment_id)
        .where(Service.project_id == project_id, Service.deleted_at.is_(None), Environment.deleted_at.is_(None))
        .order_by(Service.name, Environment.name)
    )
    async with platform.database.transaction() as work:
        rows = (await work.session.execute(query)).all()
    found = [row for row in rows if row[0].run.get("volumes")]
    if not found:
        return []
    sizes = await platform.orchestrator.list_volumes(timeout_seconds=_SIZE_SECONDS)
    return [
        VolumeOverview(
            service=service.name,
            environment=environment.name,
            name=volume["name"],
            path=volume["path"],
            is_there=volume_name(workload_id, volume["name"]) in sizes,
            size=sizes.get(volume_name(workload_id, volume["name"])),
        )
        for service, environment, workload_id in found
        for volume in service.run["volumes"]
    ]


async def fill_volume(platform: Platform, subject: Subject, backup: Backup, *, volume: str) -> None:
    """Make a volume of the workload what a snapshot holds."""
    name = volume_name(subject.workload.id, volume)
    async with aclosing(platform.dumps.read(backup.id)) as chunks:
        await platform.orchestrator.write_volume(name, chunks, image=backup.image)


async def wait_until_stopped(platform: Platform, subject: Subject) -> None:
    """Return once no instance of a workload that is wanted stopped is left."""
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            while (await platform.orchestrator.get_status(subject.workload.id)).instances:
                await platform.bell.ring(f"reconcile {subject.workload.id}")
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise TimedOut(f"{subject.title} did not stop within {_STOP_SECONDS:g} s.") from error


async def start_again(platform: Platform, restore: Restore) -> None:
    """Want the workload running again where it was before its volume was restored."""
    if not restore.was_running:
        return
    async with platform.database.transaction() as work:
        workload = await work.session.get(Workload, restore.workload_id, with_for_update=True)
        if workload is not None and workload.wanted == "stopped":
            workload.wanted = "running"
    await platform.bell.ring(f"reconcile {restore.workload_id}")
