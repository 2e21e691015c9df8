"""HTTP: runs of cron services."""

from towline.actions.runs.requests import RunOverview, cancel_run, get_run, list_runs, request_run
from towline.actions.status import find_workload_id
from towline.contract.runs import Run, RunList, RunQuery
from towline.contract.services import EnvironmentChoice
from towline.runs import RunStatus, RunTrigger
from towline.web.cursors import decode_cursor, decode_time, encode_cursor
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("runs.list")
async def list_(call: Call, query: RunQuery) -> RunList:
    """Runs in one environment, the latest first."""
    key = decode_cursor(query.cursor, str, str)
    before = None if key is None else (decode_time(key[0]), key[1])
    workload_id = await find_workload_id(call.work, service=call.service, environment=query.environment)
    if workload_id is None:
        return RunList(items=[])
    found = await list_runs(
        call.work, workload_id=workload_id, limit=query.limit + 1, status=query.status or "", before=before
    )
    shown = found[: query.limit]
    has_more = len(found) > query.limit
    last = shown[-1].run if has_more else None
    cursor = None if last is None else encode_cursor(last.scheduled_at.isoformat(), last.id)
    return RunList(items=[to_run(overview) for overview in shown], next_cursor=cursor)


@router.operation("runs.get")
async def get(call: Call) -> Run:
    """One run."""
    return await _show(call, call.path["run"])


@router.operation("runs.cancel")
async def cancel(call: Call) -> Run:
    """End a run; one that waits never begins."""
    found = await get_run(call.work, service_id=call.service.id, run_id=call.path["run"])
    await cancel_run(call.platform, call.work, found.run.id)
    call.note(found.run.id, service=call.service.name)
    return await _show(call, found.run.id)


@router.operation("services.runNow")
async def run_now(call: Call, body: EnvironmentChoice) -> Run:
    """Run what is deployed, apart from the schedule."""
    run = await request_run(
        call.platform,
        call.work,
        project=call.project,
        service=call.service,
        environment=body.environment,
        requested_by=call.caller.user_id,
    )
    call.note(call.service.id, environment=body.environment, run=run.id)
    return await _show(call, run.id)


async def _show(call: Call, run_id: str) -> Run:
    await call.session.flush()
    return to_run(await get_run(call.work, service_id=call.service.id, run_id=run_id))


def to_run(overview: RunOverview) -> Run:
    """A run as the contract has it."""
    run = overview.run
    return Run(
        id=run.id,
        project_id=run.project_id,
        service_id=run.service_id,
        environment=overview.environment,
        release=overview.release,
        trigger=RunTrigger(run.trigger),
        requested_by=run.requested_by,
        scheduled_at=run.scheduled_at,
        status=RunStatus(run.status),
        exit_code=run.exit_code,
        error=run.error,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )
