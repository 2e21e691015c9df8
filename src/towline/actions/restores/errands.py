"""The conductor's part: what is due is asked for, what is queued is carried out, a few at once."""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select, update

from towline.actions.backups.keeping import clean_dumps
from towline.actions.backups.requests import OPEN, add_backup
from towline.actions.backups.settings import BackupSettings, backup_settings
from towline.actions.backups.subjects import Subject
from towline.actions.backups.taking import carry_out_backup
from towline.actions.backups.volumes import start_again
from towline.actions.platform import Platform
from towline.actions.restores.carrying_out import carry_out_restore, end_restore, remove_test_service
from towline.actions.schedules import find_due_time
from towline.errors import InvalidInput, TowlineError
from towline.models.backups import Backup, Restore
from towline.models.base import utc_now
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload
from towline.values import EnvironmentKind

_MOST_ATTEMPTS = 3
_LATENESS = timedelta(days=1)
_CLEAN_EVERY = timedelta(hours=1)
_log = logging.getLogger(__name__)


class Errands:
    """Dumps, snapshots and restores of one conductor; another one that takes over begins them again."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._asked = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._cleaned_at: datetime | None = None

    def ask(self) -> None:
        """Look soon at what is queued."""
        self._asked.set()

    async def run(self) -> None:
        """Carry out whatever comes until cancelled; what is interrupted is begun again by the next conductor."""
        seconds = self._platform.settings.sweep_interval.total_seconds()
        try:
            await self._quietly(recover(self._platform))
            while True:
                self._asked.clear()
                await self._quietly(ask_due_dumps(self._platform))
                await self._quietly(self._take())
                await self._quietly(self._clean())
                await self._wait(seconds)
        finally:
            for task in self._running.values():
                task.cancel()
            if self._running:
                await asyncio.wait(self._running.values())

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return

    async def _take(self) -> None:
        """Dumps and snapshots first: a restore may wait for one, in a place of its own."""
        most = self._platform.settings.backup_concurrency
        backups = sum(key.startswith("bkp") for key in self._running)
        for backup in await claim_backups(self._platform, most - backups):
            self._start(backup.id, self._carry_out_backup(backup))
        restores = len(self._running) - sum(key.startswith("bkp") for key in self._running)
        for restore in await claim_restores(self._platform, most - restores):
            self._start(restore.id, carry_out_restore(self._platform, restore))

    async def _carry_out_backup(self, backup: Backup) -> None:
        await carry_out_backup(self._platform, backup)

    def _start(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._to_its_end(key, work), name=key)
        self._running[key] = task

    async def _to_its_end(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self._quietly(work)
        except Exception:
            _log.exception("%s could not be ended", key)
            await self._quietly(give_up(self._platform, key))
        finally:
            self._running.pop(key, None)
            self.ask()

    async def _clean(self) -> None:
        now = utc_now()
        if self._cleaned_at is None or now - self._cleaned_at > _CLEAN_EVERY:
            self._cleaned_at = now
            await clean_dumps(self._platform)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except TowlineError as error:
            _log.warning("%s %s", error, error.hint)


async def recover(platform: Platform) -> None:
    """Begin again what an earlier conductor left, where that is harmless; fail the rest with the reason.

    Snapshots before a deployment belong to the worker that deploys: they count as left only when no deployment runs.
    """
    is_left = and_(Backup.status == "running", Backup.trigger != "deployment")
    again = update(Backup).where(is_left, Backup.attempt < _MOST_ATTEMPTS, Backup.trigger != "restore")
    reason = "Towline was interrupted while it was taken."
    failed = update(Backup).where(Backup.status == "running")
    old = utc_now() - platform.settings.backup_timeout
    ended = {"status": "failed", "error": reason, "finished_at": utc_now()}
    async with platform.database.transaction() as work:
        await work.session.execute(again.values(status="queued"))
        await work.session.execute(failed.where(is_left).values(**ended))
        await work.session.execute(failed.where(Backup.started_at < old).values(**ended))
        into_volumes = update(Restore).where(Restore.status == "running", Restore.kind == "volume")
        await work.session.execute(into_volumes.values(status="queued"))
        left = (await work.session.scalars(select(Restore).where(Restore.status == "running"))).all()
    for restore in left:
        if restore.kind == "test":
            await remove_test_service(platform, restore)
        await start_again(platform, restore)
        problem = f"Towline was interrupted; {restore.service_name} may hold only a part. Delete it, and restore again."
        await end_restore(platform, restore, problem=problem)


async def give_up(platform: Platform, key: str) -> None:
    """Fail a backup or restore that a defect of Towline's own has ended."""
    values = {"status": "failed", "error": "Towline itself failed; its log says more.", "finished_at": utc_now()}
    async with platform.database.transaction() as work:
        for model in (Backup, Restore):
            await work.session.execute(update(model).where(model.id == key, model.status == "running").values(**values))


async def claim_backups(platform: Platform, count: int) -> list[Backup]:
    """The oldest queued backups, now running."""
    if count <= 0:
        return []
    query = select(Backup).where(Backup.status == "queued").order_by(Backup.created_at).limit(count)
    async with platform.database.transaction() as work:
        rows = list(await work.session.scalars(query.with_for_update(skip_locked=True)))
        for row in rows:
            row.status, row.attempt, row.started_at = "running", row.attempt + 1, utc_now()
    return rows


async def claim_restores(platform: Platform, count: int) -> list[Restore]:
    """The oldest queued restores, now running."""
    if count <= 0:
        return []
    query = select(Restore).where(Restore.status == "queued").order_by(Restore.created_at).limit(count)
    async with platform.database.transaction() as work:
        rows = list(await work.session.scalars(query.with_for_update(skip_locked=True)))
        for row in rows:
            row.status, row.started_at = "running", utc_now()
    return rows


async def ask_due_dumps(platform: Platform) -> None:
    """Queue a dump of every service whose schedule has come, unless one is open already."""
    last = func.max(Backup.created_at).filter(Backup.trigger == "schedule")
    is_open = func.bool_or(Backup.status.in_(OPEN))
    query = (
        select(Service, Project, Environment, Workload, last, is_open)
        .join(Workload, Workload.service_id == Service.id)
        .join(Project, Project.id == Service.project_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .join(Backup, and_(Backup.workload_id == Workload.id, Backup.kind == "dump"), isouter=True)
        .where(Service.run["backup"]["schedule"].as_string().is_not(None))
        .where(Service.deleted_at.is_(None), Project.deleted_at.is_(None), Environment.deleted_at.is_(None))
        .where(Environment.kind != EnvironmentKind.PREVIEW.value)
        .where(Workload.wanted == "running", Workload.release_id.is_not(None))
        .group_by(Service.id, Project.id, Environment.id, Workload.id)
    )
    async with platform.database.transaction() as work:
        for service, project, environment, workload, asked_at, has_open in await work.session.execute(query):
            since = max(asked_at or service.updated_at, service.updated_at)
            if not has_open and _is_due(backup_settings(service.run), service, since=since):
                subject = Subject(project, service, environment, workload)
                await add_backup(platform, work, subject, kind="dump", trigger="schedule")


def _is_due(settings: BackupSettings, service: Service, *, since: datetime) -> bool:
    try:
        due = find_due_time(settings.schedule, settings.time_zone, since=since, now=utc_now(), lateness=_LATENESS)
    except InvalidInput as error:
        _log.warning("The dumps of %s cannot be scheduled: %s", service.name, error)
        return False
    return due is not None
