"""`towline env`: variables of a project, a service, previews, or of every project."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from towline.cli.options import AsJson, EnvironmentOption, ProjectOption, ServiceOption
from towline.cli.output import Output
from towline.cli.session import Session, open_session
from towline.contract.variables import (
    GlobalVariablesSet,
    Variable,
    VariableDeleteQuery,
    VariableList,
    VariableQuery,
    VariableReveal,
    VariablesSet,
    VariableValue,
)
from towline.errors import InvalidInput
from towline.project_files.dotenv import read_lines, write_line
from towline.values import EnvironmentKind

variables = typer.Typer(name="env", help="Variables: names and values given to instances.")

Shared = Annotated[bool, typer.Option("--shared", help="The project's own variables, given to all its services.")]
Previews = Annotated[bool, typer.Option("--previews", help="Those of all previews of the project.")]
Preview = Annotated[str | None, typer.Option("--preview", metavar="NAME", help="Those of one preview.")]
Everywhere = Annotated[bool, typer.Option("--global", help="Those of every project; for instance administrators.")]
_Secret = Annotated[bool, typer.Option("--secret", help="Mask it everywhere and never show it again.")]
_Kinds = Annotated[
    list[EnvironmentKind] | None,
    typer.Option("--for", help="Only for environments of this kind; may be repeated. Secrets need it for previews."),
]
_Mount = Annotated[
    str | None, typer.Option("--mount", metavar="PATH", help="Give the value as a file at this path instead.")
]
_Assignments = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME[=VALUE]…", help="Without =VALUE taken from the environment; =@FILE is a file's text."),
]
_File = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read NAME=VALUE lines; - is standard input.")
]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose variables a command is about."""

    project: str
    service: str | None = None
    is_preview: bool = False
    preview: str | None = None


def find_owner(
    session: Session,
    *,
    project: str | None,
    service: str | None,
    shared: bool = False,
    previews: bool = False,
    preview: str | None = None,
) -> Owner:
    """Whose variables the options name; the linked or named service unless they say otherwise."""
    if previews or preview is not None:
        return Owner(session.project(project), is_preview=True, preview=preview)
    if shared:
        return Owner(session.project(project))
    try:
        target = session.target(project=project, service=service)
    except InvalidInput as error:
        hint = "Pass --service NAME, or --shared for those of the project." if error.field == "service" else error.hint
        raise InvalidInput(error.message, hint=hint, field=error.field) from error
    return Owner(target.project, target.service)


@variables.callback(invoke_without_command=True)
def list_by_default(
    context: typer.Context,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    shared: Shared = False,
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
    shared: Shared = False,
    previews: Previews = False,
    preview: Preview = None,
    everywhere: Everywhere = False,
    environment: EnvironmentOption = None,
    as_json: AsJson = False,
) -> None:
    """List variables with where they come from; secrets are masked."""
    with open_session(as_json=as_json) as session:
        if everywhere:
            return _show(session, session.client.global_variables.list())
        owner = find_owner(session, project=project, service=service, shared=shared, previews=previews, preview=preview)
        query = VariableQuery(
            service=owner.service, environment=owner.preview or environment, previews=owner.is_preview
        )
        _show(session, session.client.variables.list(owner.project, query))
    return None


@variables.command("set")
def set_variables(
    assignments: _Assignments = None,
    *,
    file: _File = None,
    secret: _Secret = False,
    kinds: _Kinds = None,
    mount: _Mount = None,
    project: ProjectOption = None,
    service: ServiceOption = None,
    shared: Shared = False,
    previews: Previews = False,
    preview: Preview = None,
    everywhere: Everywhere = False,
    as_json: AsJson = False,
) -> None:
    """Set variables in one step; running instances get them with the next deployment."""
    values = [
        VariableValue(name=name, value=value, is_secret=secret, environment_kinds=kinds or [], mount_path=mount)
        for name, value in [*_from_arguments(assignments or []), *_from_file(file)]
    ]
    if not values:
        raise InvalidInput("No variable was given.", hint="Pass NAME=VALUE, or --file FILE.")
    with open_session(as_json=as_json) as session:
        if everywhere:
            return _show(session, session.client.global_variables.set(GlobalVariablesSet(variables=values)))
        owner = find_owner(session, project=project, service=service, shared=shared, previews=previews, preview=preview)
        wanted = VariablesSet(
            service=owner.service, previews=owner.is_preview, environment=owner.preview, variables=values
        )
        changed = session.client.variables.set(owner.project, wanted)
        _show(session, changed)
        say_stale(session.output, changed)
    return None


@variables.command("delete")
def delete_variable(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Names.")],
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    shared: Shared = False,
    previews: Previews = False,
    preview: Preview = None,
    everywhere: Everywhere = False,
    as_json: AsJson = False,
) -> None:
    """Delete variables."""
    with open_session(as_json=as_json) as session:
        if everywhere:
            for name in names:
                session.client.global_variables.delete(name)
        else:
            owner = find_owner(
                session, project=project, service=service, shared=shared, previews=previews, preview=preview
            )
            query = VariableDeleteQuery(service=owner.service, previews=owner.is_preview, environment=owner.preview)
            for name in names:
                session.client.variables.delete(owner.project, name, query)
        session.output.say(f"Deleted {', '.join(names)}. Deploy again to take them from running instances.")


@variables.command("reveal")
def reveal_variable(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name.")],
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    shared: Shared = False,
    previews: Previews = False,
    preview: Preview = None,
    as_json: AsJson = False,
) -> None:
    """Print the value of a secret; owners may, and the audit log keeps who did."""
    with open_session(as_json=as_json) as session:
        owner = find_owner(session, project=project, service=service, shared=shared, previews=previews, preview=preview)
        body = VariableReveal(service=owner.service, previews=owner.is_preview, environment=owner.preview)
        revealed = session.client.variables.reveal(owner.project, name, body)
        if as_json:
            session.output.document(revealed.model_dump())
        else:
            sys.stdout.write(revealed.value + "\n")


@variables.command("export")
def export_variables(*, project: ProjectOption = None, service: ServiceOption = None, shared: Shared = False) -> None:
    """Print a place's own variables as NAME=VALUE lines, secrets as comments without a value."""
    with open_session(as_json=False) as session:
        owner = find_owner(session, project=project, service=service, shared=shared)
        found = session.client.variables.list(owner.project, VariableQuery(service=owner.service))
        level = "service" if owner.service else "project"
        for item in found.items:
            if item.level == level:
                line = f"# {item.name}= (secret)" if item.value is None else write_line(item.name, item.value)
                sys.stdout.write(line + "\n")


def say_stale(output: Output, changed: VariableList) -> None:
    """Say which services need a deployment, and how to deploy them."""
    for stale in changed.redeploy:
        if stale.problem:
            output.say(f"\n{stale.service} ({stale.environment}) cannot be deployed like this: {stale.problem}")
    needing = [stale for stale in changed.redeploy if not stale.problem]
    if needing:
        names = ", ".join(f"{stale.service} ({stale.environment})" for stale in needing)
        services = " ".join(dict.fromkeys(stale.service for stale in needing))
        output.say(f"\nNeeds a deployment to get it: {names}.")
        output.say(f"`towline group deploy {services}` brings it.")


def _from_arguments(assignments: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals and name not in os.environ:
            raise InvalidInput(
                f"{name!r} has no value here.", hint=f"Pass {name}=VALUE, or export {name}.", field="variables"
            )
        if value.startswith("@"):
            value = _read(Path(value[1:]))
        yield name, value if equals else os.environ[name]


def _from_file(path: Path | None) -> Sequence[tuple[str, str]]:
    if path is None:
        return []
    text = sys.stdin.read() if str(path) == "-" else _read(path)
    return list(read_lines(text.splitlines(), where=str(path)))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.", field="file") from error


def _kinds_text(row: Variable) -> str:
    if row.environment_kinds:
        return ", ".join(row.environment_kinds)
    return "all but previews" if row.is_secret and row.level != "preview" else "all"


def _show(session: Session, found: VariableList) -> None:
    session.output.models(
        found.items,
        {
            "name": lambda row: row.name,
            "value": lambda row: "••••••" if row.is_secret else row.value,
            "from": lambda row: f"{row.level} {row.environment or ''}".strip(),
            "for": _kinds_text,
            "file": lambda row: row.mount_path,
            "changed": lambda row: row.updated_at,
        },
        nothing="No variable.",
    )
