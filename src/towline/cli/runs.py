"""`towline run` and `towline runs`: running a cron service now, and what its runs came to."""

from typing import Annotated

import typer

from towline.cli.following import log_text
from towline.cli.options import AsJson, Detach, EnvironmentOption, Limit, ProjectOption, ServiceOption, TargetArgument
from towline.cli.session import Session, Target, open_session
from towline.contract.logs import LogQuery
from towline.contract.runs import Run, RunQuery
from towline.errors import Cancelled, NotFound, TowlineError
from towline.runs import RunStatus

runs = typer.Typer(name="runs", no_args_is_help=True, help="Runs of cron services.")
_RunOption = Annotated[str | None, typer.Option("--run", metavar="ID", help="Id of the run; else the latest.")]


def run(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Run a cron service now and show what it prints; the exit code says whether it succeeded."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        asked = session.client.runs.run_now(place.project, place.service, environment=place.environment)
        if detach:
            _show(session, asked)
            return
        if not as_json:
            for entry in session.client.runs.follow_logs(place.project, place.service, asked.id):
                session.output.line(log_text(entry))
        ended = session.client.runs.wait(place.project, place.service, asked.id)
        _show(session, ended)
        if ended.status is RunStatus.CANCELLED:
            raise Cancelled(f"The run {ended.id} was cancelled.", hint="Run it again when you are ready.")
        if ended.status is not RunStatus.SUCCESS:
            raise TowlineError(f"The run {ended.id} is {ended.status}: {ended.error}")


@runs.command("list")
def list_runs(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    status: Annotated[RunStatus | None, typer.Option("--status", help="Only runs that stand so.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List runs of a cron service, the latest first."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        query = RunQuery(environment=place.environment, limit=limit, status=status)
        session.output.models(
            session.client.runs.list(place.project, place.service, query).items,
            {
                "run": lambda row: row.id,
                "due": lambda row: row.scheduled_at,
                "status": lambda row: row.status,
                "trigger": lambda row: row.trigger,
                "took": _duration,
                "error": lambda row: row.error,
            },
            nothing="No run yet.",
        )


@runs.command("logs")
def show_logs(
    target: TargetArgument = None,
    *,
    run_id: _RunOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Print or follow what a run printed. With --json every line is one JSON object."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        chosen = run_id or _latest(session, place)
        calls, query = session.client.runs, LogQuery(since="1", limit=10_000)
        if follow:
            entries = calls.follow_logs(place.project, place.service, chosen, query)
        else:
            entries = iter(calls.get_logs(place.project, place.service, chosen, query).items)
        for entry in entries:
            if as_json:
                typer.echo(entry.model_dump_json())
            else:
                session.output.line(log_text(entry))


@runs.command("cancel")
def cancel_run(
    target: TargetArgument = None,
    *,
    run_id: _RunOption = None,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """End a run: SIGTERM, then SIGKILL after the service's grace."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        chosen = run_id or _latest(session, place)
        _show(session, session.client.runs.cancel(place.project, place.service, chosen))


def _latest(session: Session, place: Target) -> str:
    found = session.client.runs.list(place.project, place.service, RunQuery(environment=place.environment, limit=1))
    if not found.items:
        raise NotFound(f"{place} has not run yet.", hint="Run it with `towline run`.")
    return found.items[0].id


def _show(session: Session, run: Run) -> None:
    took = _duration(run)
    facts = {"run": run.id, "status": run.status, "exit code": run.exit_code, "took": took, "error": run.error}
    session.output.model(run, facts)


def _duration(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return "-"
    return f"{(run.finished_at - run.started_at).total_seconds():.1f} s"
