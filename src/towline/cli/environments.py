"""`towline environments`: list, create and delete environments."""

from typing import Annotated, Literal

import typer

from towline.cli.options import AsJson, ProjectOption, Yes
from towline.cli.session import open_session
from towline.contract.environments import EnvironmentCreate

environments = typer.Typer(name="environments", help="Environments: where services of a project run.")

_Name = Annotated[str, typer.Argument(help="Name of the environment.")]


@environments.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Environments: where services of a project run."""
    if context.invoked_subcommand is None:
        list_environments(project=project, as_json=as_json)


@environments.command("list")
def list_environments(*, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """List environments of a project."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.environments.list(session.project(project)).items,
            {"name": lambda row: row.name, "kind": lambda row: row.kind, "created": lambda row: row.created_at},
            nothing="No environment.",
        )


@environments.command("create")
def create_environment(
    name: _Name,
    *,
    project: ProjectOption = None,
    kind: Annotated[Literal["staging", "preview"], typer.Option("--kind", help="What it is for.")] = "staging",
    as_json: AsJson = False,
) -> None:
    """Create an environment."""
    with open_session(as_json=as_json) as session:
        created = session.client.environments.create(session.project(project), EnvironmentCreate(name=name, kind=kind))
        session.output.model(created, {"name": created.name, "id": created.id, "kind": created.kind})


@environments.command("delete")
def delete_environment(
    name: _Name, *, project: ProjectOption = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Delete an environment and all that runs in it."""
    with open_session(as_json=as_json) as session:
        place = session.project(project)
        session.confirm(f"Delete environment {name} of {place} with its volumes?", yes=yes)
        session.client.environments.delete(place, name)
        session.output.say(f"Deleted environment {name} of {place}.")
