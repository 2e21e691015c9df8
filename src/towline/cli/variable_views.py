"""`towline env show|history|undo|diff|stale`: variables looked at, compared, and taken back."""

from typing import Annotated

import typer

from towline.cli.options import AsJson, EnvironmentOption, ProjectOption, ServiceOption
from towline.cli.session import open_session
from towline.cli.variables import Everywhere, say_stale, variables
from towline.contract.variables import DifferenceQuery, EffectiveQuery, HistoryQuery, VariableDifference
from towline.errors import InvalidInput

_MASK = "••••••"


@variables.command("show")
def show_variables(
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what instances of the next deployment get, and the level each value comes from."""
    with open_session(as_json=as_json) as session:
        target = session.target(project=project, service=service, environment=environment)
        query = EffectiveQuery(service=target.service, environment=target.environment)
        found = session.client.variables.effective(target.project, query)
        session.output.models(
            found.items,
            {
                "name": lambda row: row.name,
                "value": lambda row: _MASK if row.is_secret else row.value,
                "from": lambda row: row.origin,
                "hides": lambda row: ", ".join(row.hides),
                "file": lambda row: row.mount_path,
            },
            nothing="No variable.",
        )


@variables.command("history")
def list_history(
    *,
    project: ProjectOption = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Only this variable.")] = None,
    everywhere: Everywhere = False,
    as_json: AsJson = False,
) -> None:
    """List who changed which variable of a project, newest first."""
    with open_session(as_json=as_json) as session:
        query = HistoryQuery(name=name)
        if everywhere:
            found = session.client.global_variables.history(query)
        else:
            found = session.client.variables.history(session.project(project), query)
        session.output.models(
            found.items,
            {
                "id": lambda row: row.id,
                "name": lambda row: row.name,
                "of": lambda row: row.service or row.environment or row.level,
                "what": lambda row: f"{row.action}{' (undo)' if row.undoes else ''}",
                "before": lambda row: _MASK if row.is_secret else row.before,
                "after": lambda row: _MASK if row.is_secret else row.after,
                "who": lambda row: row.user,
                "when": lambda row: row.created_at,
            },
            nothing="No change yet.",
        )


@variables.command("undo")
def undo_change(
    change: Annotated[str, typer.Argument(metavar="CHANGE", help="Id of the change, from `towline env history`.")],
    *,
    project: ProjectOption = None,
    everywhere: Everywhere = False,
    as_json: AsJson = False,
) -> None:
    """Take a change back."""
    with open_session(as_json=as_json) as session:
        if everywhere:
            changed = session.client.global_variables.undo(change)
        else:
            changed = session.client.variables.undo(session.project(project), change)
        session.output.say("Taken back.")
        say_stale(session.output, changed)


@variables.command("diff")
def compare_variables(
    to: Annotated[str, typer.Argument(metavar="ENVIRONMENT|RELEASE", help="What to compare with.")],
    *,
    release: Annotated[
        int | None, typer.Option("--release", min=1, help="Compare this release with release number TO instead.")
    ] = None,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """Compare the variables of two environments, or of two releases."""
    with open_session(as_json=as_json) as session:
        target = session.target(project=project, service=service, environment=environment)
        given = {"service": target.service, "environment": target.environment, **_second(to, release)}
        query = DifferenceQuery.model_validate(given)
        found = session.client.variables.compare(target.project, query)
        session.output.models(
            found.items,
            {
                "name": lambda row: row.name,
                "": lambda row: row.kind,
                "before": lambda row: _side(row, row.before),
                "after": lambda row: _side(row, row.after),
            },
            nothing="No difference.",
        )


@variables.command("stale")
def list_stale(*, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """List services that need a deployment to get their variables."""
    with open_session(as_json=as_json) as session:
        found = session.client.variables.stale(session.project(project))
        session.output.models(
            found.items,
            {
                "service": lambda row: row.service,
                "environment": lambda row: row.environment,
                "variables": lambda row: ", ".join(row.names) or row.problem,
            },
            nothing="Everything runs with its variables as they are now.",
        )


def _second(to: str, release: int | None) -> dict[str, object]:
    if release is None:
        return {"to_environment": to}
    if not to.isdecimal():
        raise InvalidInput(
            f"{to!r} is not the number of a release.", hint="`towline releases` lists them.", field="to_release"
        )
    return {"release": release, "to_release": int(to)}


def _side(row: VariableDifference, value: str | None) -> str:
    return _MASK if row.is_secret else (value or "")
