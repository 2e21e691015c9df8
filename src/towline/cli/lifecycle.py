"""`towline scale | restart | stop | start`: what to do with running instances."""

from collections.abc import Callable
from typing import Annotated

import typer

from towline.cli.options import AsJson, EnvironmentOption, ProjectOption, ServiceOption, TargetArgument
from towline.cli.session import Session, Target, open_session
from towline.cli.status import show_status
from towline.contract.status import ServiceStatus


def scale(
    replicas: Annotated[int, typer.Argument(metavar="N", min=0, max=100, help="Number of instances.")],
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Set the number of instances of a service."""

    def change(session: Session, place: Target) -> ServiceStatus:
        return session.client.services.scale(place.project, place.service, replicas, environment=place.environment)

    _change(change, target, project=project, service=service, environment=environment, as_json=as_json)


def restart(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Replace all instances by new ones of the same release."""

    def change(session: Session, place: Target) -> ServiceStatus:
        return session.client.services.restart(place.project, place.service, environment=place.environment)

    _change(change, target, project=project, service=service, environment=environment, as_json=as_json)


def stop(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Stop a service until it is started again."""

    def change(session: Session, place: Target) -> ServiceStatus:
        return session.client.services.stop(place.project, place.service, environment=place.environment)

    _change(change, target, project=project, service=service, environment=environment, as_json=as_json)


def start(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Start a stopped service."""

    def change(session: Session, place: Target) -> ServiceStatus:
        return session.client.services.start(place.project, place.service, environment=place.environment)

    _change(change, target, project=project, service=service, environment=environment, as_json=as_json)


def _change(
    change: Callable[[Session, Target], ServiceStatus],
    target: str | None,
    *,
    project: str | None,
    service: str | None,
    environment: str | None,
    as_json: bool,
) -> None:
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        show_status(session, change(session, place), name=str(place))
