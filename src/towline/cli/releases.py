"""`towline releases` and `towline rollback`: what ran, and rolling back to it."""

from typing import Annotated

import typer

from towline.cli.following import follow_deployment
from towline.cli.options import AsJson, Detach, EnvironmentOption, Limit, ProjectOption, ServiceOption, TargetArgument
from towline.cli.session import Session, open_session
from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.contract.deployments import Deployment, DeploymentRollback
from towline.contract.releases import ReleaseQuery

releases = typer.Typer(name="releases", help="Releases: what ran and can be gone back to.")


@releases.callback(invoke_without_command=True)
def list_by_default(
    context: typer.Context,
    *,
    service: Annotated[str | None, typer.Option("--service", "-s", metavar="NAME", help="Service.")] = None,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Releases: what ran and can be gone back to."""
    if context.invoked_subcommand is None:
        list_releases(service, project=project, environment=environment, as_json=as_json)


@releases.command("list")
def list_releases(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List releases of a service."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        query = ReleaseQuery(environment=place.environment, limit=limit)
        session.output.models(
            session.client.releases.list(place.project, place.service, query).items,
            {
                "release": lambda row: f"{row.number}{' *' if row.is_current else ''}",
                "commit": lambda row: row.commit.removeprefix("sha256:")[:12],
                "message": lambda row: row.message[:50],
                "created": lambda row: row.created_at,
                "can roll back": lambda row: row.can_rollback or row.rollback_problem or False,
            },
            nothing="No release yet.",
        )


@releases.command("promote")
def promote_release(
    release: Annotated[int, typer.Argument(metavar="N", min=1, help="Number of the release.")],
    target: TargetArgument = None,
    *,
    source: Annotated[str, typer.Option("--from", metavar="ENVIRONMENT", help="Environment it ran in.")],
    to: Annotated[str, typer.Option("--to", metavar="ENVIRONMENT")] = DEFAULT_ENVIRONMENT,
    project: ProjectOption = None,
    service: ServiceOption = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Run a release of one environment in another, without a build."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service)
        deployment = session.client.releases.promote(
            place.project, place.service, release=release, from_environment=source, to_environment=to
        )
        _follow(session, deployment, detach=detach)


def rollback(
    target: TargetArgument = None,
    *,
    to: Annotated[
        int | None, typer.Option("--to", metavar="RELEASE", min=1, help="Release; else the one before the current.")
    ] = None,
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="ID", help="The release that this deployment made.")
    ] = None,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Roll back to a release; nothing is built."""
    with open_session(as_json=as_json) as session:
        if deployment:
            request = DeploymentRollback(deployment=deployment)
        else:
            place = session.target(target, project=project, service=service, environment=environment)
            request = DeploymentRollback(
                project=place.project, service=place.service, environment=place.environment, release=to
            )
        _follow(session, session.client.deployments.rollback(request), detach=detach)


def _follow(session: Session, deployment: Deployment, *, detach: bool) -> None:
    if detach:
        session.output.model(deployment, {"deployment": deployment.id, "status": deployment.status})
        return
    follow_deployment(session.client, deployment, output=session.output)
