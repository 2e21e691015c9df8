"""The worker: carries deployments, groups and runs out side by side, and does the periodic work if no other does."""

import asyncio
import contextlib
import logging
import os
import platform as machine
import signal
from collections.abc import Sequence
from pathlib import Path

import uvloop

from towline.actions.conduct import conduct
from towline.actions.deployments.attempt import Attempt, claim_next, expire_dead_leases
from towline.actions.deployments.pipeline import run_deployment
from towline.actions.deployments.requests import release_worker_leases
from towline.actions.groups.attempt import (
    Claimed,
    GroupAttempt,
    claim_next_group,
    expire_dead_group_leases,
    release_group_leases,
)
from towline.actions.groups.run import run_group
from towline.actions.platform import Platform, process_started_at
from towline.actions.runs.attempt import RunAttempt, claim_next_run, expire_dead_run_leases, release_run_leases
from towline.actions.runs.carrying_out import carry_out_run
from towline.config import Settings
from towline.errors import Unavailable
from towline.infra.collection import spare_what_stays
from towline.infra.queue import Ringing
from towline.models.deployments import Deployment
from towline.models.runs import CronRun
from towline.project_files.reading import read_request
from towline.wiring import open_platform, start_logging

_RETRY_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Worker:
    """One worker process: as many deployments at once as the settings say."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._running: dict[str, asyncio.Task[None]] = {}
        self._attempts: dict[str, Attempt] = {}
        self._groups: dict[str, asyncio.Task[None]] = {}
        self._group_attempts: dict[str, GroupAttempt] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._run_attempts: dict[str, RunAttempt] = {}

    async def run(self) -> None:
        """Work until cancelled; then let others take over at once. A defect in the periodic work ends the process."""
        async with self._platform.orchestrator.session(), self._platform.router.session():
            doors = [
                asyncio.create_task(conduct(self._platform, read_file=read_request), name="conductor"),
                asyncio.create_task(self._claim_for_ever(), name="claims"),
            ]
            try:
                done, _ = await asyncio.wait(doors, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                await self._stop(doors)

    async def _claim_for_ever(self) -> None:
        await self._expire_dead_leases()
        while True:
            try:
                async with self._platform.bell.listen() as ringing:
                    while True:
                        await self._claim_all()
                        await self._wait(ringing)
            except Unavailable as error:
                _log.warning("The worker waits: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _expire_dead_leases(self) -> None:
        with contextlib.suppress(Unavailable):
            workers = live_workers()
            await expire_dead_leases(self._platform, host=machine.node(), live_workers=workers)
            await expire_dead_group_leases(self._platform, host=machine.node(), live_workers=workers)
            await expire_dead_run_leases(self._platform, host=machine.node(), live_workers=workers)

    async def _claim_all(self) -> None:
        await self._claim_groups()
        await self._claim_deployments()
        await self._claim_runs()

    async def _claim_groups(self) -> None:
        """Groups have places of their own, so that none has to wait for one that waits for it."""
        self._groups = {key: task for key, task in self._groups.items() if not task.done()}
        while len(self._groups) < self._platform.settings.deploy_concurrency:
            claimed = await claim_next_group(self._platform)
            if claimed is None:
                return
            task = asyncio.create_task(self._run_group(claimed), name=f"run {claimed.group.id}")
            self._groups[f"{claimed.group.id} {claimed.group.attempt}"] = task

    async def _run_group(self, claimed: Claimed) -> None:
        try:
            await run_group(self._platform, claimed, self._group_attempts)
        except Unavailable as error:
            _log.warning("Group %s is left to another attempt: %s", claimed.group.id, error)
        except Exception:
            _log.exception("Group %s could not be ended; another attempt will", claimed.group.id)

    async def _claim_deployments(self) -> None:
        self._running = {key: task for key, task in self._running.items() if not task.done()}
        while len(self._running) < self._platform.settings.deploy_concurrency:
            deployment = await claim_next(self._platform)
            if deployment is None:
                return
            task = asyncio.create_task(self._run_one(deployment), name=f"run {deployment.id}")
            self._running[f"{deployment.id} {deployment.attempt}"] = task

    async def _run_one(self, deployment: Deployment) -> None:
        try:
            await run_deployment(self._platform, deployment, self._attempts)
        except Unavailable as error:
            _log.warning("Deployment %s is left to another attempt: %s", deployment.id, error)
        except Exception:
            _log.exception("Deployment %s could not be ended; another attempt will", deployment.id)

    async def _claim_runs(self) -> None:
        """Runs of cron services have places of their own too: some of them take hours."""
        self._runs = {key: task for key, task in self._runs.items() if not task.done()}
        while len(self._runs) < self._platform.settings.cron_concurrency:
            run = await claim_next_run(self._platform)
            if run is None:
                return
            task = asyncio.create_task(self._carry_out(run), name=f"run {run.id}")
            self._runs[f"{run.id} {run.attempt}"] = task

    async def _carry_out(self, run: CronRun) -> None:
        try:
            await carry_out_run(self._platform, run, self._run_attempts)
        except Unavailable as error:
            _log.warning("The run %s is left to be ended by another attempt: %s", run.id, error)
        except Exception:
            _log.exception("The run %s could not be ended; another attempt will", run.id)

    async def _wait(self, ringing: Ringing) -> None:
        """Until something was queued or ended; a ring with a deployment's id makes its attempt look at its row."""
        timeout = min(self._platform.settings.sweep_interval.total_seconds(), 5.0)
        while name := await ringing.wait(timeout=timeout):
            for attempts in (self._attempts, self._group_attempts, self._run_attempts):
                if name in attempts:
                    attempts[name].nudge()
            if name == "deployments":
                return

    async def _stop(self, doors: list[asyncio.Task[None]]) -> None:
        tasks = [*doors, *self._running.values(), *self._groups.values(), *self._runs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=10)
        with contextlib.suppress(Unavailable):
            await release_worker_leases(self._platform, self._platform.worker_name)
            await release_group_leases(self._platform, self._platform.worker_name)
            await release_run_leases(self._platform, self._platform.worker_name)


def live_workers() -> frozenset[str]:
    """Names (see Platform.worker_name) of every process of this host that could be a worker."""
    ids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return frozenset(f"{machine.node()}:{process_id}:{process_started_at(process_id)}" for process_id in ids)


async def run_worker(platform: Platform) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    task = asyncio.ensure_future(Worker(platform).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    _log.info("Worker %d is ready.", os.getpid())
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _main() -> None:
    settings = Settings.from_environment(os.environ)
    start_logging(settings)
    async with open_platform(settings) as platform:
        spare_what_stays()
        await run_worker(platform)


def main(arguments: Sequence[str]) -> int:
    """`python -m towline internal worker`: the exit code."""
    del arguments  # everything comes by TOWLINE_… variables
    uvloop.run(_main())
    return 0
