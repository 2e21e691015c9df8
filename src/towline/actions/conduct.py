"""Periodic work that one process at a time does: relay, reconciliation, health, due runs, logs, mail, clean-up."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta

from towline.actions.audit_chain import chain_all
from towline.actions.base_domain import follow_base_domain
from towline.actions.correspondence import correspond, forget_correspondence
from towline.actions.events import relay_events
from towline.actions.health import check_all
from towline.actions.hooks.applying import ReadFile, apply_pushed_files
from towline.actions.hooks.working import work_through
from towline.actions.janitor import clean_up, remove_temporary_folders, remove_unneeded
from towline.actions.metrics.sampling import Sampler
from towline.actions.notifications.sending import notify
from towline.actions.notifications.watching import watch_troubles
from towline.actions.platform import Platform
from towline.actions.previews.keeping import look_after_previews
from towline.actions.pushes.tidying import remove_unneeded_repositories
from towline.actions.reconcile import reconcile_all, reconcile_quietly, unroute
from towline.actions.reports.sending import send_due_reports
from towline.actions.resealing import Resealing
from towline.actions.restores.errands import Errands
from towline.actions.routes import doubt_all_routes, publish_again
from towline.actions.run_logs import RunLogs
from towline.actions.runs.due import ask_due_runs
from towline.actions.sleeping.activity import Activity
from towline.actions.sleeping.waking import wake_sleepers
from towline.errors import TowlineError, Unavailable
from towline.infra.database import check_connection
from towline.values import InstanceEvent

_LOCK = 7_420_003
_TRY_SECONDS = 2.0
_HOLD_SECONDS = 5.0
_ENGINE_RETRY_SECONDS = 0.5
_CLEAN_UP_EVERY = timedelta(minutes=10)
_CHAIN_EVERY = timedelta(seconds=2)
_RESEAL_EVERY = timedelta(seconds=2)
_REPORTS_EVERY = timedelta(seconds=5)
_HOOKS_EVERY = timedelta(seconds=5)
_DUE_EVERY = timedelta(seconds=1)
_WATCH_EVERY = timedelta(minutes=5)
_PREVIEWS_EVERY = timedelta(seconds=10)
_RECONCILES_AT_ONCE = 8
_log = logging.getLogger(__name__)


async def conduct(platform: Platform, *, read_file: ReadFile | None = None) -> None:
    """Do the periodic work whenever this process holds the lock; runs until cancelled.

    `read_file` reads the project files that pushes bring; without it such pushes wait.
    """
    while True:
        try:
            await _conduct_while_locked(platform, read_file)
        except* TowlineError as errors:
            _log.warning("The periodic work begins again: %s", errors.exceptions[0])
        await asyncio.sleep(_TRY_SECONDS)


async def _conduct_while_locked(platform: Platform, read_file: ReadFile | None) -> None:
    async with platform.database.advisory_lock(_LOCK) as connection:
        if connection is None:
            return

        async def hold() -> None:
            while True:
                await asyncio.sleep(_HOLD_SECONDS)
                await check_connection(connection)

        await _run_roles(platform, hold, read_file)


async def _run_roles(platform: Platform, hold: Callable[[], Awaitable[None]], read_file: ReadFile | None) -> None:
    settings = platform.settings
    await follow_base_domain(platform)
    await doubt_all_routes(platform)
    errands = Errands(platform)
    async with RunLogs(platform) as logs, asyncio.TaskGroup() as roles:

        async def tidy() -> None:
            await publish_again(platform)
            await logs.follow_all()
            await remove_temporary_folders(platform)
            await remove_unneeded_repositories(platform)

        roles.create_task(_as_coroutine(hold), name="hold")
        roles.create_task(relay_events(platform), name="relay")
        roles.create_task(_every(settings.sweep_interval, lambda: reconcile_all(platform)), name="sweep")
        # Apart from the sweep, which takes as long as the slowest workload needs to become healthy.
        roles.create_task(_every(settings.sweep_interval, tidy), name="tidy")
        roles.create_task(_every(settings.health_interval, lambda: check_all(platform)), name="health")
        roles.create_task(_every(settings.health_interval, Sampler(platform).run), name="metrics")
        roles.create_task(_every(_CLEAN_UP_EVERY, lambda: clean_up(platform), first=_CLEAN_UP_EVERY), name="clean up")
        roles.create_task(_every(_CLEAN_UP_EVERY, lambda: forget_correspondence(platform)), name="forget mail")
        roles.create_task(_every(_DUE_EVERY, lambda: ask_due_runs(platform)), name="due runs")
        roles.create_task(_every(settings.sweep_interval, Activity(platform).look), name="activity")
        roles.create_task(wake_sleepers(platform), name="wake")
        roles.create_task(correspond(platform), name="mail")
        roles.create_task(_every(_PREVIEWS_EVERY, lambda: _look_after_previews(platform)), name="previews")
        roles.create_task(_answer_hooks(platform, lambda: work_through(platform)), name="hooks")
        if (read := read_file) is not None:
            roles.create_task(_answer_hooks(platform, lambda: apply_pushed_files(platform, read)), name="pushed files")
        roles.create_task(notify(platform), name="notifications")
        roles.create_task(_every(_WATCH_EVERY, lambda: watch_troubles(platform)), name="troubles")
        roles.create_task(_report(platform), name="reports")
        roles.create_task(_every(_CHAIN_EVERY, lambda: chain_all(platform)), name="audit chain")
        roles.create_task(_every(_RESEAL_EVERY, Resealing(platform).run), name="resealing")
        roles.create_task(_watch_engine(platform, logs), name="engine")
        roles.create_task(errands.run(), name="backups")
        roles.create_task(_answer_bell(platform, errands), name="bell")


async def _look_after_previews(platform: Platform) -> None:
    if await look_after_previews(platform):
        await remove_unneeded(platform)


async def _as_coroutine(call: Callable[[], Awaitable[None]]) -> None:
    await call()


async def _every(
    interval: timedelta, action: Callable[[], Awaitable[object]], *, first: timedelta = timedelta()
) -> None:
    """Repeat an action; what is expected to fail now and then is logged and tried again at the next turn."""
    await asyncio.sleep(first.total_seconds())
    while True:
        try:
            await action()
        except Unavailable as error:
            _log.warning("%s", error)
        except TowlineError as error:
            _log.warning("%s %s", error, error.hint)
        await asyncio.sleep(interval.total_seconds())


async def _watch_engine(platform: Platform, logs: RunLogs) -> None:
    """Route away from an instance the moment it dies; look at its workload again when it starts."""
    exited: set[str] = set()
    while True:
        try:
            async with aclosing(platform.orchestrator.follow_events()) as events:
                # Not waited for: instances that die meanwhile must lose their requests at once.
                await platform.bell.ring("reconcile")
                await logs.follow_all()
                async for event in events:
                    await _on_event(platform, logs, event, exited=exited)
        except Unavailable as error:
            _log.warning("%s", error)
        await asyncio.sleep(_ENGINE_RETRY_SECONDS)


async def _on_event(platform: Platform, logs: RunLogs, event: InstanceEvent, *, exited: set[str]) -> None:
    """Act on one event; `exited` holds the workloads with a death that the engine has not told of yet."""
    if event.kind == "exit":
        if await unroute(platform, event.instance_id):
            exited.add(event.workload_id)
    elif event.kind in {"die", "oom"}:
        was_routed = await unroute(platform, event.instance_id) or event.workload_id in exited
        exited.discard(event.workload_id)
        # Not sooner: as long as the engine says that the instance runs, it would be probed to be routed again.
        if was_routed:
            await platform.bell.ring(f"reconcile {event.workload_id}")
    elif event.kind == "start":
        await _on_start(platform, logs, workload_id=event.workload_id, instance_id=event.instance_id)


async def _on_start(platform: Platform, logs: RunLogs, *, workload_id: str, instance_id: str) -> None:
    status = await platform.orchestrator.get_status(workload_id)
    for instance in status.instances:
        if instance.id == instance_id:
            logs.follow(instance)
    await platform.bell.ring(f"reconcile {workload_id}")


async def _answer_hooks(platform: Platform, work_on_all: Callable[[], Awaitable[None]]) -> None:
    """Work through deliveries when one comes in, and now and then for those that are tried again."""
    async with platform.bell.listen() as ringing:
        while True:
            ringing.forget()
            try:
                await work_on_all()
            except Unavailable as error:
                _log.warning("%s", error)
            await ringing.wait_for("hooks", timeout=_HOOKS_EVERY.total_seconds())


async def _report(platform: Platform) -> None:
    """Tell git platforms what has changed when deployments or reports ring, and look at those that are on their way."""
    async with platform.bell.listen() as ringing:
        while True:
            ringing.forget()
            try:
                await send_due_reports(platform)
            except Unavailable as error:
                _log.warning("%s", error)
            # Webhooks come by the hundred, and ring once more when they have led to something.
            while await ringing.wait(timeout=_REPORTS_EVERY.total_seconds()) == "hooks":
                pass


async def _answer_bell(platform: Platform, errands: Errands) -> None:
    """Reconcile what rings: one workload, or all of them."""
    reconciles = Reconciles(platform)
    try:
        async with platform.bell.listen() as ringing:
            while True:
                verb, _, workload_id = (await ringing.wait(timeout=60)).partition(" ")
                if verb == "reconcile":
                    reconciles.ask(workload_id)
                elif verb == "backups":
                    errands.ask()
                elif verb == "publish":
                    platform.unpublished.add(workload_id)
    finally:
        await reconciles.close()


class Reconciles:
    """Reconciles what is asked for: a workload never twice at once, different ones side by side, so many at most.

    Each holds a connection for as long as it takes, and the API may share the pool.
    """

    def __init__(self, platform: Platform, *, at_once: int = _RECONCILES_AT_ONCE) -> None:
        self._platform = platform
        self._asked: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(at_once)

    def ask(self, workload_id: str) -> None:
        """Reconcile a workload (empty: all of them) soon, and once more if it is being reconciled now."""
        self._asked.add(workload_id)
        if workload_id not in self._running:
            self._running[workload_id] = asyncio.create_task(self._run(workload_id), name=f"reconcile {workload_id}")

    async def close(self) -> None:
        """Cancel what runs, and wait until it has cleaned up."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, workload_id: str) -> None:
        try:
            while workload_id in self._asked:
                async with self._slots:
                    self._asked.discard(workload_id)
                    await self._reconcile(workload_id)
        finally:
            self._running.pop(workload_id, None)

    async def _reconcile(self, workload_id: str) -> None:
        if workload_id:
            return await reconcile_quietly(self._platform, workload_id)
        try:
            await reconcile_all(self._platform)
        except TowlineError as error:
            _log.warning("Not everything could be looked at: %s", error)
        return None
