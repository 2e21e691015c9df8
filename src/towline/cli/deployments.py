"""`towline deployments` and `towline cancel`: attempts to put something live."""

from pathlib import Path
from typing import Annotated

import typer

from towline.cli.following import follow_deployment
from towline.cli.options import AsJson, EnvironmentOption, Limit, ProjectOption, ServiceOption
from towline.cli.output import size_text
from towline.cli.session import Session, open_session
from towline.contract.deployments import Deployment, DeploymentQuery
from towline.errors import NotFound
from towline.values import DeploymentStatus

deployments = typer.Typer(name="deployments", help="Deployments: attempts to put something live.")

_Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the deployment.")]


@deployments.callback(invoke_without_command=True)
def list_by_default(
    context: typer.Context, *, project: ProjectOption = None, service: ServiceOption = None, as_json: AsJson = False
) -> None:
    """Deployments: attempts to put something live."""
    if context.invoked_subcommand is None:
        list_deployments(project=project, service=service, as_json=as_json)


@deployments.command("list")
def list_deployments(
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    status: Annotated[DeploymentStatus | None, typer.Option("--status", help="Only with this status.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List deployments, newest first."""
    with open_session(as_json=as_json) as session:
        chosen = project or (session.link.project if session.link else None)
        query = DeploymentQuery(project=chosen, service=service, environment=environment, status=status, limit=limit)
        session.output.models(
            session.client.deployments.list(query).items,
            {
                "id": lambda row: row.id,
                "number": lambda row: row.number,
                "service": lambda row: f"{row.project}/{row.service}",
                "environment": lambda row: row.environment,
                "status": lambda row: row.status,
                "trigger": lambda row: row.trigger,
                "revision": lambda row: row.revision.removeprefix("sha256:")[:12],
                "created": lambda row: row.created_at,
            },
            nothing="No deployment yet.",
        )


@deployments.command("show")
def show_deployment(deployment: _Id, *, as_json: AsJson = False) -> None:
    """Show a deployment with its steps."""
    with open_session(as_json=as_json) as session:
        row = session.client.deployments.get_status(deployment)
        session.output.model(row, _facts(row))


@deployments.command("changes")
def show_changes(deployment: _Id, *, as_json: AsJson = False) -> None:
    """Show what a deployment changes, held against the release that served before it."""
    with open_session(as_json=as_json) as session:
        found = session.client.deployments.get_changes(deployment)
        facts = {
            "compared with": None if found.previous_release is None else f"release {found.previous_release}",
            "commit": _change(found.previous_revision, found.revision),
            "image": _change(found.previous_image, found.image),
            "settings": [f"{one.name}: {one.before or '-'} -> {one.after or '-'}" for one in found.settings],
            "variables": [f"{one.name} {one.kind}" for one in found.variables or []],
        }
        session.output.model(found, facts)


@deployments.command("watch")
def watch_deployment(deployment: _Id, *, as_json: AsJson = False) -> None:
    """Follow a deployment to its end."""
    with open_session(as_json=as_json) as session:
        follow_deployment(session.client, session.client.deployments.get_status(deployment), output=session.output)


@deployments.command("download")
def download_bundle(
    deployment: _Id,
    *,
    target: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Download the source that was deployed (tar.zst)."""
    with open_session(as_json=as_json) as session:
        path = target or Path(f"{deployment}.tar.zst")
        size = session.client.deployments.download_bundle(deployment, path)
        if as_json:
            session.output.document({"path": str(path), "size": size})
        session.output.say(f"Wrote {path} ({size_text(size)}).")


def cancel(
    deployment: Annotated[str | None, typer.Argument(metavar="ID", help="Deployment; else the running one.")] = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Cancel a deployment: the given one, or the service's running one."""
    with open_session(as_json=as_json) as session:
        chosen = deployment or _running(session, project=project, service=service, environment=environment)
        row = session.client.deployments.cancel(chosen)
        session.output.model(row, {"deployment": row.id, "status": row.status, "step": row.step})


def _running(session: Session, *, project: str | None, service: str | None, environment: str | None) -> str:
    place = session.target(project=project, service=service, environment=environment)
    status = session.client.services.get_status(place.project, place.service, environment=place.environment)
    if status.deployment_id is None:
        raise NotFound(f"No deployment of {place} is running.", hint="List them with `towline deployments`.")
    return status.deployment_id


def _change(before: str, after: str) -> str:
    return f"{after} (the same)" if before == after and after else f"{before or 'none'} -> {after or 'not known yet'}"


def _facts(row: Deployment) -> dict[str, object]:
    return {
        "deployment": f"{row.number} of {row.project}/{row.service} to {row.environment}",
        "id": row.id,
        "status": row.status,
        "step": row.step,
        "waits for": row.queue_reason,
        "trigger": row.trigger,
        "asked by": row.requested_by,
        "revision": row.revision,
        "message": row.message,
        "release": row.release,
        "error": row.error.message if row.error else None,
        "try": row.error.hint if row.error else None,
        "steps": [f"{step.step} {step.seconds:.2f} s" for step in row.steps if step.seconds is not None],
        "urls": row.urls,
        "created": row.created_at,
        "finished": row.finished_at,
    }
