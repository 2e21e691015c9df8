"""`towline logs`: what instances print, or what happened in a deployment."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from towline.cli.following import log_text
from towline.cli.options import AsJson, EnvironmentOption, ProjectOption, ServiceOption, TargetArgument
from towline.cli.output import Output
from towline.cli.session import Session, Target, open_session
from towline.contract.logs import LogEntry, LogQuery, ServiceLogQuery

_Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with lines as they are written.")]
_Tail = Annotated[int | None, typer.Option("--tail", "-n", metavar="N", min=0, max=10_000, help="Only the last lines.")]
_Since = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="First sequence, or a time such as 2026-08-01T12:00:00Z.")
]
_Query = Annotated[str | None, typer.Option("--grep", metavar="TEXT", help="Only lines that contain this text.")]
_Times = Annotated[bool, typer.Option("--timestamps", "-t", help="Show when each line was written.")]
_Deployment = Annotated[
    str | None, typer.Option("--deployment", metavar="ID", help="The log of a deployment instead of the instances.")
]


def logs(
    target: TargetArgument = None,
    *,
    follow: _Follow = False,
    tail: _Tail = None,
    since: _Since = None,
    grep: _Query = None,
    timestamps: _Times = False,
    deployment: _Deployment = None,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Print or follow logs. With --json every line is one JSON object."""
    given = {"tail": tail, "since": since, "query": grep}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with open_session(as_json=as_json) as session:
        if deployment:
            entries = _of_deployment(session, deployment, chosen, follow=follow)
        else:
            place = session.target(target, project=project, service=service, environment=environment)
            entries = _of_service(session, place, chosen, follow=follow)
        has_any = _print(entries, output=session.output, has_times=timestamps)
        if not (has_any or since or grep or deployment or as_json):
            _tell_of_silence()


def _of_deployment(session: Session, deployment: str, chosen: dict[str, Any], *, follow: bool) -> Iterable[LogEntry]:
    query = LogQuery.model_validate(chosen or {"since": "1"})
    if follow:
        return session.client.deployments.follow_logs(deployment, query)
    return session.client.deployments.get_logs(deployment, query).items


def _of_service(session: Session, place: Target, chosen: dict[str, Any], *, follow: bool) -> Iterable[LogEntry]:
    query = ServiceLogQuery.model_validate({**chosen, "environment": place.environment})
    if follow:
        return session.client.services.follow_logs(place.project, place.service, query)
    return session.client.services.get_logs(place.project, place.service, query).items


def _tell_of_silence() -> None:
    hint = "`towline deployments` lists the deployments; `towline logs --deployment ID` shows what happened in one."
    typer.echo(f"No instance has written anything yet. {hint}", err=True)


def _print(entries: Iterable[LogEntry], *, output: Output, has_times: bool) -> bool:
    """Whether there was any entry."""
    has_any = False
    for entry in entries:
        has_any = True
        if output.is_json:
            typer.echo(entry.model_dump_json())
        else:
            output.line(log_text(entry, has_times=has_times))
    return has_any
