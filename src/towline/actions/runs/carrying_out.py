"""Carrying out a run: a fresh container of the release, its own log, a time limit, and an end whatever happens."""

import asyncio
import logging
from dataclasses import dataclass

from towline.actions.deployments.job import Job, load_job, make_run_spec
from towline.actions.environments import ensure_network
from towline.actions.log_allowance import Allowance
from towline.actions.logs import LogWriter
from towline.actions.platform import Platform
from towline.actions.runs.attempt import RunAttempt
from towline.actions.settings import RunSettings, run_settings
from towline.actions.variables import open_variables
from towline.errors import Cancelled, Conflict, FenceLost, TimedOut, TowlineError, UnexpectedError
from towline.models.deployments import Release
from towline.models.runs import CronRun
from towline.runs import RunStatus

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    """What a run carries out."""

    job: Job
    release: Release
    settings: RunSettings


async def carry_out_run(platform: Platform, run: CronRun, register: "dict[str, RunAttempt]") -> None:
    """Carry out a claimed run to its end; `register` holds it meanwhile, so that it can be nudged."""
    async with (
        LogWriter(platform, run.id, project_id=run.project_id) as log,
        RunAttempt(platform, run, log) as attempt,
    ):
        register[run.id] = attempt
        try:
            await _to_its_end(attempt)
        except FenceLost as error:
            _log.info("%s", error)
        finally:
            register.pop(run.id, None)


async def _to_its_end(attempt: RunAttempt) -> None:
    try:
        exit_code = await attempt.carry_out(_steps(attempt))
    except FenceLost:
        raise
    except Cancelled as error:
        await attempt.log.write(error.message, level="warning")
        await attempt.finish(RunStatus.CANCELLED, error=error.message)
    except TowlineError as error:
        await _fail(attempt, error)
    except Exception as error:
        _log.exception("The run %s failed unexpectedly", attempt.run.id)
        await _fail(attempt, UnexpectedError.of(error))
    else:
        await _end(attempt, exit_code)


async def _end(attempt: RunAttempt, exit_code: int) -> None:
    error = f"The program ended with exit code {exit_code}." if exit_code else ""
    await attempt.log.write(error or "Done.", level="error" if error else "info")
    status = RunStatus.FAILED if error else RunStatus.SUCCESS
    await attempt.finish(status, exit_code=exit_code, error=error)


async def _fail(attempt: RunAttempt, error: TowlineError) -> None:
    await attempt.log.write(error.message, level="error")
    await attempt.finish(RunStatus.FAILED, error=error.message)


async def _steps(attempt: RunAttempt) -> int:
    """The exit code of the program. A run that a killed worker began is ended, never begun again."""
    platform, run = attempt.platform, attempt.run
    if run.attempt > 1:
        await platform.orchestrator.remove_commands(of_deployment=run.id)
        raise Conflict("The run was interrupted: the process of Towline that watched over it ended.")
    task = await _load(attempt)
    _, secrets = open_variables(platform, task.release.variables, release_id=task.release.id)
    attempt.log.masker.add(secrets)
    await attempt.log.write(f"Run of release {task.release.number}.")
    await ensure_network(platform, task.job.environment, task.job.project)
    spec = await make_run_spec(platform, task.job, task.release, deployment_id=run.id)
    limit, output = task.settings.timeout_seconds, _Output(attempt.log, _allowance(platform))
    try:
        return await platform.orchestrator.run_command(
            spec,
            (),
            timeout_seconds=limit,
            grace_seconds=task.settings.stop_grace(platform.settings).total_seconds(),
            report=output.report,
        )
    except TimedOut as error:
        raise TimedOut(f"The run took longer than its limit of {limit:g} s and was stopped.") from error
    finally:
        await output.tell_what_was_left_out()


async def _load(attempt: RunAttempt) -> _Task:
    async with attempt.platform.database.transaction() as work:
        job = await load_job(work, attempt.run.workload_id)
        release = await work.session.get(Release, attempt.run.release_id) if attempt.run.release_id else None
    if release is None:
        raise Conflict("Nothing is deployed that could run.", hint="Deploy the service first.")
    return _Task(job, release, run_settings(release.run))


def _allowance(platform: Platform) -> Allowance:
    settings = platform.settings
    return Allowance(settings.run_log_lines_per_second, settings.run_log_bytes_per_second)


@dataclass(slots=True)
class _Output:
    """What the program prints, up to as much as any service may write."""

    log: LogWriter
    allowance: Allowance

    async def report(self, line: str) -> None:
        """Add a line, unless the program prints too many of them."""
        if not self.allowance.admits(len(line)):
            await asyncio.sleep(0)
            return
        await self.tell_what_was_left_out()
        await self.log.report(line)

    async def tell_what_was_left_out(self) -> None:
        """Say so in the log when lines were."""
        notice = self.allowance.take_notice()
        if notice:
            await self.log.write(notice, level="warning")
