"""`towline group` and `towline services depend`: services that are deployed together, and which needs which."""

from collections.abc import Callable
from typing import Annotated

import typer

from towline.cli.options import AsJson, Detach, EnvironmentOption, Limit, ProjectOption
from towline.cli.output import Output
from towline.cli.session import Session, open_session
from towline.cli.spinner import Spinner
from towline.client.problems import error_class
from towline.contract.groups import Group, GroupDeploy, GroupQuery, GroupService
from towline.errors import Cancelled, InvalidInput, TowlineError
from towline.values import DeploymentStatus

group = typer.Typer(name="group", help="Groups: services that are deployed together, all or nothing.")

_Names = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVICE[=REF|IMAGE]]...", help="Services; else the whole project.")
]


@group.command("deploy")
def deploy_group(
    services: _Names = None,
    *,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    images: Annotated[bool, typer.Option("--image", help="What stands behind = is an image.")] = False,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Deploy services together: all switch at once when every one is healthy, or none does."""
    with open_session(as_json=as_json) as session:
        name = session.project(project)
        wanted = [_service(text, is_image=images) for text in services or ()]
        request = GroupDeploy(environment=session.environment(environment), services=wanted)
        follow_group(session, session.client.groups.deploy(name, request), detach=detach)


@group.command("rollback")
def rollback_group(
    to: Annotated[
        str | None, typer.Argument(metavar="ID", help="Group to roll back to; else the newest is undone.")
    ] = None,
    *,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Roll back to the releases of an earlier group, all or nothing; nothing is built."""
    with open_session(as_json=as_json) as session:
        chosen = session.environment(environment)
        follow_group(
            session,
            session.client.groups.rollback(session.project(project), group=to, environment=chosen),
            detach=detach,
        )


@group.command("status")
def show_group(
    group_id: Annotated[str | None, typer.Argument(metavar="ID", help="Group; else the newest ones.")] = None,
    *,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Show a group with its deployments, or list the newest ones."""
    with open_session(as_json=as_json) as session:
        name = session.project(project)
        if group_id is not None:
            return _show(session.client.groups.get_status(name, group_id), output=session.output)
        return session.output.models(
            session.client.groups.list(name, GroupQuery(environment=environment, limit=limit)).items,
            {
                "id": lambda row: row.id,
                "number": lambda row: row.number,
                "environment": lambda row: row.environment,
                "status": lambda row: row.status,
                "services": lambda row: [member.service for member in row.members],
                "trigger": lambda row: row.trigger,
                "created": lambda row: row.created_at,
                "error": lambda row: row.error.message if row.error else "",
            },
            nothing="No group yet; `towline group deploy` makes one.",
        )


@group.command("watch")
def watch_group(
    group_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the group.")],
    *,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Follow a group to its end."""
    with open_session(as_json=as_json) as session:
        follow_group(session, session.client.groups.get_status(session.project(project), group_id), detach=False)


@group.command("cancel")
def cancel_group(
    group_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the group.")],
    *,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Cancel a group: everything stays on the old releases."""
    with open_session(as_json=as_json) as session:
        row = session.client.groups.cancel(session.project(project), group_id)
        session.output.model(row, {"group": row.id, "status": row.status, "step": row.step})


def depend(
    service: Annotated[str | None, typer.Argument(metavar="SERVICE", help="Service; else all are shown.")] = None,
    needs: Annotated[list[str] | None, typer.Argument(metavar="NEEDED...", help="Services that it needs.")] = None,
    *,
    project: ProjectOption = None,
    cascade: Annotated[
        bool, typer.Option("--cascade", help="Deploy it again after a success of what it needs.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="It needs them no longer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a service need others, which are brought up first; without names, show who needs whom."""
    with open_session(as_json=as_json) as session:
        name = session.project(project)
        if service is not None and not needs:
            raise InvalidInput("Name the services that it needs.", hint="For example: towline services depend web api")
        for needed in needs or ():
            if remove:
                session.client.dependencies.delete(name, service or "", needed)
            else:
                session.client.dependencies.set(name, service or "", needed, cascade=cascade)
        _show_graph(session, name)


def _show_graph(session: Session, project: str) -> None:
    graph = session.client.dependencies.list(project)
    if session.output.is_json:
        return session.output.model(graph, {})
    for one in graph.dependencies:
        session.output.say(f"{one.service} → {one.depends_on}{' (cascade)' if one.cascade else ''}")
    if not graph.dependencies:
        session.output.say("No service needs another.")
    order = " | ".join(", ".join(level) for level in graph.levels)
    return session.output.say(f"Order: {order}" if order else "No service yet.")


def _service(text: str, *, is_image: bool) -> GroupService:
    name, _, origin = text.partition("=")
    if not origin:
        return GroupService(service=name)
    return GroupService(service=name, image=origin) if is_image else GroupService(service=name, ref=origin)


def follow_group(session: Session, row: Group, *, detach: bool) -> None:
    """Follow a group to its end and show it; raises what made it fail."""
    output = session.output
    if row.interrupts:
        names = ", ".join(row.interrupts)
        output.say(f"Down for a moment, since a volume changes hands: {names}.")
    if detach:
        output.model(row, {"group": row.id, "status": row.status})
        return
    try:
        with Spinner(is_shown=not output.is_json) as spinner:
            ended = session.client.groups.wait(
                row.project, row.id, on_change=None if output.is_json else _narrator(spinner)
            )
    except KeyboardInterrupt:
        output.say(f"\nGroup {row.number} goes on; `towline group cancel {row.id}` stops it.")
        raise
    _show(ended, output=output)
    if (error := _error_of(ended)) is not None:
        raise error


def _narrator(spinner: Spinner) -> Callable[[Group], None]:
    told: dict[str, str] = {}

    def tell(row: Group) -> None:
        for member in row.members:
            reason = f" ({member.queue_reason})" if member.queue_reason else ""
            state = f"{member.status}: {member.step}{reason}"
            if told.get(member.service) != state:
                told[member.service] = state
                spinner.write(f"{member.service:<20} {state}")
        spinner.say(
            f"group {row.number}: {row.status} {row.step}{f' ({row.queue_reason})' if row.queue_reason else ''}"
        )

    return tell


def _show(row: Group, *, output: Output) -> None:
    if output.is_json:
        output.model(row, {})
        return
    output.say()
    for member in row.members:
        facts = f"release {member.release}" if member.release else ""
        reason = member.error or member.queue_reason
        output.say(f"  {member.service:<20} {output.coloured(member.status)}  {facts}  {output.faint(reason)}".rstrip())
    output.say(f"{output.coloured(row.status)}: group {row.number} of {row.project} to {row.environment}")
    if row.status is DeploymentStatus.SUCCESS:
        for url in [url for member in row.members for url in member.urls]:
            output.say(output.strong(url))


def _error_of(row: Group) -> TowlineError | None:
    if row.status is DeploymentStatus.SUCCESS:
        return None
    if row.error is not None:
        return error_class(row.error.code)(row.error.message, hint=row.error.hint or None)
    hint = "A newer group replaced it." if row.status is DeploymentStatus.SUPERSEDED else None
    return Cancelled(f"Group {row.number} of {row.project} was {row.status}.", hint=hint)
