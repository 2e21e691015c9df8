"""`towline status`: what runs of a project or service, and how well."""

from typing import Annotated

import typer

from towline.cli.options import AsJson, EnvironmentOption, Limit, ProjectOption, ServiceOption, TargetArgument
from towline.cli.platform import show_platform
from towline.cli.session import Session, Target, open_session
from towline.contract.status import HealthQuery, ServiceStatus


def status(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what runs of a service; with --project alone, of all its services."""
    with open_session(as_json=as_json) as session:
        if target is None and service is None and project is not None:
            _show_project(session, project, environment=session.environment(environment))
            return
        _show_service(session, session.target(target, project=project, service=service, environment=environment))


def show_health(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    limit: Limit = 20,
    platform: Annotated[
        bool, typer.Option("--platform", help="How Towline itself is, for administrators: its parts, room, what waits.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the latest health checks of a service; with --platform, how Towline itself is."""
    with open_session(as_json=as_json) as session:
        if platform:
            show_platform(session)
            return
        place = session.target(target, project=project, service=service, environment=environment)
        query = HealthQuery(environment=place.environment, limit=limit)
        session.output.models(
            session.client.services.list_health(place.project, place.service, query).items,
            {
                "checked": lambda row: row.checked_at,
                "status": lambda row: row.status,
                "response": lambda row: _milliseconds(row.response_ms),
                "error": lambda row: row.error,
            },
            nothing="No check yet.",
        )


def show_status(session: Session, status: ServiceStatus, *, name: str) -> None:
    """One service's status, with its instances."""
    session.output.model(status, {"service": name, **_facts(status)})
    if status.instances and not session.output.is_json:
        session.output.say()
        session.output.models(
            status.instances,
            {
                "instance": lambda row: row.name,
                "state": lambda row: row.state,
                "health": lambda row: row.health,
                "release": lambda row: row.release,
                "address": lambda row: f"{row.address}:{row.port}" if row.address and row.port else row.address,
                "restarts": lambda row: row.restarts,
                "started": lambda row: row.started_at,
            },
            nothing="",
        )


def _show_service(session: Session, target: Target) -> None:
    status = session.client.services.get_status(target.project, target.service, environment=target.environment)
    show_status(session, status, name=str(target))


def _show_project(session: Session, project: str, *, environment: str) -> None:
    name_of = {service.id: service.name for service in session.client.services.iterate(project)}
    rows = session.client.services.list_statuses(project, environment=environment).items
    session.output.models(
        [row for row in rows if row.service_id in name_of],
        {
            "service": lambda row: name_of[row.service_id],
            "state": lambda row: row.state,
            "health": lambda row: row.health,
            "running": lambda row: f"{row.running}/{row.replicas}",
            "release": lambda row: row.release,
            "url": lambda row: row.urls[0] if row.urls else None,
            "error": lambda row: row.error,
        },
        nothing=f"Project {project} has no service yet.",
    )


def _facts(status: ServiceStatus) -> dict[str, object]:
    return {
        "environment": status.environment,
        "state": status.state,
        "health": status.health,
        "checked": status.checked_at,
        "response": _milliseconds(status.response_ms) if status.response_ms is not None else None,
        "error": status.error,
        "running": f"{status.running} of {status.replicas}",
        "next run": status.next_run_at,
        "last run": _run_text(status),
        "release": status.release,
        "revision": status.revision,
        "urls": status.urls,
        "deploying": status.deployment_id,
    }


def _run_text(status: ServiceStatus) -> str | None:
    run = status.last_run
    return None if run is None else f"{run.status}, due {run.scheduled_at:%Y-%m-%d %H:%M} UTC ({run.id})"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
