"""`towline scale | restart | stop | start`: what to do with running instances."""

import time
from collections.abc import Callable
from typing import Annotated, Final

import typer

from towline.cli.following import find_error
from towline.cli.options import AsJson, EnvironmentOption, ProjectOption, ServiceOption, TargetArgument
from towline.cli.session import Session, Target, open_session
from towline.cli.status import show_status
from towline.contract.status import ServiceStatus
from towline.errors import TimedOut

_LONGEST_WAIT_SECONDS: Final = 300.0
_LOOK_EVERY_SECONDS: Final = 0.2
WaitOption = Annotated[bool, typer.Option("--wait", help="Return once it is so; fails after five minutes.")]


def scale(
    replicas: Annotated[int, typer.Argument(metavar="N", min=0, max=100, help="Number of instances.")],
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    wait: WaitOption = False,
    as_json: AsJson = False,
) -> None:
    """Set the number of instances of a service."""

    def change(session: Session, place: Target) -> ServiceStatus:
        return session.client.services.scale(place.project, place.service, replicas, environment=place.environment)

    with open_session(as_json=as_json) as session:
        _change(
            session,
            session.target(target, project=project, service=service, environment=environment),
            change,
            wait=wait,
        )


def restart(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    wait: WaitOption = False,
    as_json: AsJson = False,
) -> None:
    """Replace all instances by new ones of the same release."""

    def change(session: Session, place: Target) -> ServiceStatus:
        return session.client.services.restart(place.project, place.service, environment=place.environment)

    with open_session(as_json=as_json) as session:
        _change(
            session,
            session.target(target, project=project, service=service, environment=environment),
            change,
            wait=wait,
        )


def stop(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    wait: WaitOption = False,
    as_json: AsJson = False,
) -> None:
    """Stop a service until it is started again."""

    def change(session: Session, place: Target) -> ServiceStatus:
        return session.client.services.stop(place.project, place.service, environment=place.environment)

    with open_session(as_json=as_json) as session:
        _change(
            session,
            session.target(target, project=project, service=service, environment=environment),
            change,
            wait=wait,
        )


def start(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    wait: WaitOption = False,
    as_json: AsJson = False,
) -> None:
    """Start a stopped service."""

    def change(session: Session, place: Target) -> ServiceStatus:
        return session.client.services.start(place.project, place.service, environment=place.environment)

    with open_session(as_json=as_json) as session:
        _change(
            session,
            session.target(target, project=project, service=service, environment=environment),
            change,
            wait=wait,
        )


def _change(session: Session, place: Target, change: Callable[[Session, Target], ServiceStatus], *, wait: bool) -> None:
    status = change(session, place)
    if wait:
        status = _wait(session, place, status)
    show_status(session, status, name=str(place))


def _wait(session: Session, place: Target, status: ServiceStatus) -> ServiceStatus:
    """The status once as many instances run as are wanted; raises what the deployment of a restart failed with."""
    if status.deployment_id is not None:
        ended = session.client.wait_for_deployment(status.deployment_id, timeout=_LONGEST_WAIT_SECONDS)
        if (error := find_error(ended)) is not None:
            raise error
    deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
    while True:
        status = session.client.services.get_status(place.project, place.service, environment=place.environment)
        wanted = status.replicas if status.state == "running" else 0
        if status.running == wanted and status.deployment_id is None:
            return status
        if time.monotonic() > deadline:
            raise TimedOut(f"{status.running} of {wanted} instances of {place} run after {_LONGEST_WAIT_SECONDS:g} s.")
        time.sleep(_LOOK_EVERY_SECONDS)
