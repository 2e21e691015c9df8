"""Run logs: every line every instance prints, followed while it lives and kept after it is gone."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from typing import Any, Self

from sqlalchemy import select

from towline.actions.log_allowance import Allowance
from towline.actions.logs import LogWriter
from towline.actions.masking import Masker
from towline.actions.platform import Platform
from towline.actions.variables import open_variables
from towline.errors import TowlineError, Unavailable
from towline.models.deployments import Release
from towline.models.history import Log, LogLine
from towline.models.services import Workload
from towline.values import Instance, InstanceState

_RECENT_LINES = 5000
_REST_AFTER_LINES = 500
_REST_SECONDS = 0.05
_log = logging.getLogger(__name__)


class RunLogs:
    """Follows the output of all instances of this installation; one writer per workload, one task per instance."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._writers: dict[str, LogWriter] = {}
        self._allowances: dict[str, Allowance] = {}
        self._followers: dict[str, asyncio.Task[None]] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._followers.values():
            task.cancel()
        if self._followers:
            await asyncio.wait(self._followers.values())
        await self._stack.aclose()

    async def follow_all(self) -> None:
        """Begin to follow every instance that is not followed yet."""
        await self.tell_what_was_left_out()
        instances = await self._platform.orchestrator.list_instances()
        self.forget_others(instances)
        for instance in instances:
            self.follow(instance)

    def follow(self, instance: Instance) -> None:
        """Follow one instance unless that is already so; an exited one is read to its end once."""
        task = self._followers.get(instance.id)
        if instance.state is InstanceState.STARTING or (task is not None and not task.done()):
            return
        if task is None or instance.state is InstanceState.RUNNING:
            self._followers[instance.id] = asyncio.create_task(self._follow(instance), name=f"run log {instance.name}")

    def forget_others(self, instances: Sequence[Instance]) -> None:
        """Drop what is known of instances that are gone."""
        known = {instance.id for instance in instances}
        for instance_id in [key for key, task in self._followers.items() if key not in known and task.done()]:
            self._followers.pop(instance_id)

    async def _follow(self, instance: Instance) -> None:
        with contextlib.suppress(Unavailable):
            writer = await self._get_writer(instance)
            if writer is None:
                return
            since = await self._last_line_at(instance)
            try:
                await self._copy(instance, writer, since=since)
            except TowlineError as error:
                _log.info("The log of %s ended: %s", instance.name, error)

    async def _copy(self, instance: Instance, writer: LogWriter, *, since: datetime | None) -> None:
        allowance = self._get_allowance(instance.workload_id)
        async with aclosing(self._platform.orchestrator.follow_logs(instance, since=since)) as entries:
            async for entry in entries:
                if since is not None and entry.at <= since:
                    continue
                if not allowance.admits(len(entry.message)):
                    await _rest(allowance)
                    continue
                if notice := allowance.take_notice():
                    await _warn(writer, notice)
                await writer.write(
                    entry.message, stream=entry.stream, level=entry.level, instance_id=instance.id, at=entry.at
                )

    def _get_allowance(self, workload_id: str) -> Allowance:
        settings = self._platform.settings
        return self._allowances.setdefault(
            workload_id, Allowance(settings.run_log_lines_per_second, settings.run_log_bytes_per_second)
        )

    async def tell_what_was_left_out(self) -> None:
        """Say so also where the service has fallen silent since."""
        for workload_id, writer in self._writers.items():
            allowance = self._get_allowance(workload_id)
            if allowance.is_open and (notice := allowance.take_notice()):
                await _warn(writer, notice)

    async def _get_writer(self, instance: Instance) -> LogWriter | None:
        async with self._platform.database.transaction() as work:
            workload = await work.session.get(Workload, instance.workload_id)
            release = await work.session.get(Release, instance.release_id)
        if workload is None:
            return None
        writer = self._writers.get(workload.id)
        if writer is None:
            writer = LogWriter(
                self._platform, workload.id, project_id=workload.project_id, masker=Masker(), is_patient=True
            )
            self._writers[workload.id] = writer
            await self._stack.enter_async_context(writer)
        if release is not None:
            _, secrets = open_variables(self._platform, release.variables, release_id=release.id)
            writer.masker.add(secrets)
        return writer

    async def _last_line_at(self, instance: Instance) -> datetime | None:
        log_id = select(Log.id).where(Log.owner_id == instance.workload_id).scalar_subquery()
        recent = (
            select(LogLine.at, LogLine.instance_id)
            .where(LogLine.log_id == log_id)
            .order_by(LogLine.sequence.desc())
            .limit(_RECENT_LINES)
            .subquery()
        )
        statement: Any = select(recent.c.at).where(recent.c.instance_id == instance.id).order_by(recent.c.at.desc())
        async with self._platform.database.transaction() as work:
            return await work.session.scalar(statement.limit(1))


async def _warn(writer: LogWriter, notice: str) -> None:
    await writer.write(notice, stream="system", level="warning")


async def _rest(allowance: Allowance) -> None:
    """Leave the rest of the process its time: what is read only to be left out may come faster than it can be read."""
    if allowance.left_out % _REST_AFTER_LINES == 0:
        await asyncio.sleep(_REST_SECONDS)
