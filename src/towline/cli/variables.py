"""`towline env`: variables of a project or service."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from towline.cli.options import AsJson, EnvironmentOption, ProjectOption, ServiceOption
from towline.cli.session import Session, open_session
from towline.contract.variables import VariableList, VariableQuery, VariablesSet, VariableValue
from towline.errors import InvalidInput

variables = typer.Typer(name="env", help="Variables: names and values given to instances.")

_OnProject = Annotated[bool, typer.Option("--shared", help="The project's own variables, given to all its services.")]
_Secret = Annotated[bool, typer.Option("--secret", help="Mask it everywhere and never show it again.")]
_Assignments = Annotated[
    list[str] | None, typer.Argument(metavar="NAME[=VALUE]…", help="Without =VALUE taken from the environment.")
]
_File = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read NAME=VALUE lines; - is standard input.")
]


@variables.callback(invoke_without_command=True)
def list_by_default(
    context: typer.Context,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    shared: _OnProject = False,
    as_json: AsJson = False,
) -> None:
    """Variables: names and values given to instances."""
    if context.invoked_subcommand is None:
        list_variables(project=project, service=service, shared=shared, as_json=as_json)


@variables.command("list")
def list_variables(
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    shared: _OnProject = False,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """List variables with where they come from; secrets are masked."""
    with open_session(as_json=as_json) as session:
        place, owner = _place(session, project=project, service=service, shared=shared)
        _show(session, session.client.variables.list(place, VariableQuery(service=owner, environment=environment)))


@variables.command("set")
def set_variables(
    assignments: _Assignments = None,
    *,
    file: _File = None,
    secret: _Secret = False,
    project: ProjectOption = None,
    service: ServiceOption = None,
    shared: _OnProject = False,
    as_json: AsJson = False,
) -> None:
    """Set variables in one step; running instances get them with the next deployment."""
    values = [
        VariableValue(name=name, value=value, is_secret=secret)
        for name, value in [*_from_arguments(assignments or []), *_from_file(file)]
    ]
    if not values:
        raise InvalidInput("No variable was given.", hint="Pass NAME=VALUE, or --file FILE.")
    with open_session(as_json=as_json) as session:
        place, owner = _place(session, project=project, service=service, shared=shared)
        _show(session, session.client.variables.set(place, VariablesSet(service=owner, variables=values)))
        session.output.say("\nDeploy again to bring them to running instances.")


@variables.command("delete")
def delete_variable(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Names.")],
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    shared: _OnProject = False,
    as_json: AsJson = False,
) -> None:
    """Delete variables."""
    with open_session(as_json=as_json) as session:
        place, owner = _place(session, project=project, service=service, shared=shared)
        for name in names:
            session.client.variables.delete(place, name, service=owner)
        session.output.say(f"Deleted {', '.join(names)}. Deploy again to take them from running instances.")


def read_lines(lines: Iterable[str], *, where: str) -> Iterator[tuple[str, str]]:
    """NAME=VALUE lines as dotenv files have them: comments, `export`, and values in single or double quotes.

    Nothing is expanded: a `$` stays a `$`. InvalidInput names the line that is none.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("export ").lstrip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"Line {number} of {where} is not NAME=VALUE.")
        yield name.strip(), _unquoted(value.strip())


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        inner = value[1:-1]
        return inner if value[0] == "'" else inner.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    return value


def _from_arguments(assignments: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals and name not in os.environ:
            raise InvalidInput(
                f"{name!r} has no value here.", hint=f"Pass {name}=VALUE, or export {name}.", field="variables"
            )
        yield name, value if equals else os.environ[name]


def _from_file(path: Path | None) -> Iterator[tuple[str, str]]:
    if path is None:
        return
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.", field="file") from error
    yield from read_lines(text.splitlines(), where=str(path))


def _place(session: Session, *, project: str | None, service: str | None, shared: bool) -> tuple[str, str | None]:
    """The project, and the service the variables belong to; None for the project's own."""
    if shared:
        return session.project(project), None
    target = session.target(project=project, service=service)
    return target.project, target.service


def _show(session: Session, variables: VariableList) -> None:
    session.output.models(
        variables.items,
        {
            "name": lambda row: row.name,
            "value": lambda row: "••••••" if row.is_secret else row.value,
            "from": lambda row: row.level,
            "changed": lambda row: row.updated_at,
        },
        nothing="No variable.",
    )
