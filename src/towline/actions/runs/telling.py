"""Events of runs; a failed run has one of its own, for those who want to hear of nothing else."""

from typing import Any

from sqlalchemy import select

from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.infra.database import Work
from towline.models.projects import Environment
from towline.models.runs import CronRun
from towline.models.services import Workload
from towline.runs import RunStatus


async def emit_started(platform: Platform, work: Work, run: CronRun) -> None:
    """Tell that a run has begun."""
    await _emit(platform, work, run, "run.started")


async def emit_finished(platform: Platform, work: Work, run: CronRun) -> None:
    """Tell how a run ended, or that it was skipped."""
    await _emit(platform, work, run, "run.finished")
    if run.status == RunStatus.FAILED:
        await _emit(platform, work, run, "run.failed")


async def _emit(platform: Platform, work: Work, run: CronRun, type_: str) -> None:
    place = select(Environment.id, Environment.name).join(Workload, Workload.environment_id == Environment.id)
    environment = (await work.session.execute(place.where(Workload.id == run.workload_id))).one()
    data: dict[str, Any] = {
        "run": run.id,
        "status": run.status,
        "environment": environment.name,
        "environmentId": environment.id,
    }
    if run.error:
        data["error"] = run.error
    emit(platform, work, type_, project_id=run.project_id, service_id=run.service_id, data=data)
