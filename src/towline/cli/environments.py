"""`towline environments`: list, create, change, wake, share and delete environments."""

from typing import Annotated, Literal

import typer

from towline.cli.options import AsJson, ProjectOption, Yes
from towline.cli.session import open_session
from towline.contract.environments import EnvironmentCreate, EnvironmentUpdate
from towline.errors import InvalidInput

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
            {
                "name": lambda row: row.name,
                "kind": lambda row: row.kind,
                "sleep": lambda row: row.sleep,
                "protection": lambda row: row.protection,
                "created": lambda row: row.created_at,
            },
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


@environments.command("set")
def set_environment(
    name: _Name,
    *,
    project: ProjectOption = None,
    sleeps_after: Annotated[
        str | None,
        typer.Option("--sleeps-after", help="Seconds without a request until it falls asleep, or `never`."),
    ] = None,
    protection: Annotated[
        Literal["none", "sign_in", "link"] | None, typer.Option("--protection", help="Who may visit its hosts.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say when an environment falls asleep, and who may visit it."""
    change: dict[str, object] = {}
    if sleeps_after is not None:
        change["sleeps_after"] = None if sleeps_after == "never" else _seconds(sleeps_after)
    if protection is not None:
        change["protection"] = protection
    with open_session(as_json=as_json) as session:
        wanted = EnvironmentUpdate.model_validate(change)
        changed = session.client.environments.update(session.project(project), name, wanted)
        session.output.model(
            changed,
            {
                "name": changed.name,
                "sleeps after": "never" if changed.sleeps_after is None else f"{changed.sleeps_after} s",
                "protection": changed.protection,
            },
        )


@environments.command("wake")
def wake_environment(name: _Name, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Wake an environment that sleeps."""
    with open_session(as_json=as_json) as session:
        found = session.client.environments.wake(session.project(project), name)
        session.output.model(found, {"name": found.name, "sleep": found.sleep})


@environments.command("share")
def share_environment(
    name: _Name,
    *,
    project: ProjectOption = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Make all links worthless instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make new share links, in place of earlier ones; they are shown once."""
    with open_session(as_json=as_json) as session:
        place = session.project(project)
        if revoke:
            session.client.environments.delete_share_link(place, name)
            session.output.say(f"The links of {name} of {place} open nothing any more.")
            return
        links = session.client.environments.create_share_link(place, name)
        session.output.model(links, {"links": "\n".join(links.urls)})


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


def _seconds(text: str) -> int:
    if not text.isdigit():
        raise InvalidInput(f"--sleeps-after {text!r} is neither seconds nor `never`.", field="sleeps_after")
    return int(text)
