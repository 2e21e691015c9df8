"""`towline projects`: list, create, show, change and delete projects."""

from typing import Annotated

import typer

from towline.cli.following import follow_deployment
from towline.cli.options import AsJson, ProjectOption, Yes
from towline.cli.session import open_session
from towline.contract.projects import Project, ProjectCreate, ProjectSummary, ProjectUpdate

projects = typer.Typer(name="projects", help="Projects: groups of services, the unit of access.")

_Name = Annotated[str, typer.Argument(help="Name of the project.")]
_BaseDomain = Annotated[str | None, typer.Option("--base-domain", metavar="DOMAIN", help="Domain of generated hosts.")]
_Description = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="One line about it.")]


@projects.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Projects: groups of services, the unit of access."""
    if context.invoked_subcommand is None:
        list_projects(as_json=as_json)


@projects.command("list")
def list_projects(*, as_json: AsJson = False) -> None:
    """List projects you can see."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            list(session.client.projects.iterate()),
            {
                "name": lambda row: row.name,
                "services": lambda row: row.service_count,
                "role": lambda row: row.role,
                "base domain": lambda row: row.base_domain,
                "created": lambda row: row.created_at,
            },
            nothing="No project yet; `towline deploy` makes one.",
        )


@projects.command("status")
def list_summaries(*, as_json: AsJson = False) -> None:
    """List projects you can see with their health and last deployment."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            list(session.client.projects.iterate_summaries()),
            {
                "name": lambda row: row.project.name,
                "health": lambda row: row.health,
                "last deployment": _last,
                "url": lambda row: row.urls[0] if row.urls else None,
            },
            nothing="No project yet; `towline deploy` makes one.",
        )


@projects.command("create")
def create_project(
    name: _Name, *, base_domain: _BaseDomain = None, description: _Description = None, as_json: AsJson = False
) -> None:
    """Create a project."""
    with open_session(as_json=as_json) as session:
        body = ProjectCreate(name=name, base_domain=base_domain, description=description or "")
        project = session.client.projects.create(body)
        session.output.model(project, _facts(project))


@projects.command("create-example")
def create_example(*, as_json: AsJson = False) -> None:
    """Create the example project and deploy it; what is there of it stays."""
    with open_session(as_json=as_json) as session:
        deployment = session.client.projects.create_example()
        follow_deployment(session.client, deployment, output=session.output)


@projects.command("show")
def show_project(name: Annotated[str | None, typer.Argument()] = None, *, as_json: AsJson = False) -> None:
    """Show a project."""
    with open_session(as_json=as_json) as session:
        project = session.client.projects.get(session.project(name))
        session.output.model(project, _facts(project))


_GlobalSecrets = Annotated[
    bool | None,
    typer.Option(
        "--global-secrets/--no-global-secrets", help="Whether secrets set for everything reach it (administrators)."
    ),
]


@projects.command("update")
def update_project(
    *,
    project: ProjectOption = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="New name.")] = None,
    base_domain: _BaseDomain = None,
    description: _Description = None,
    global_secrets: _GlobalSecrets = None,
    as_json: AsJson = False,
) -> None:
    """Change a project."""
    given = {
        "name": name,
        "base_domain": base_domain,
        "description": description,
        "takes_global_secrets": global_secrets,
    }
    change = ProjectUpdate.model_validate({key: value for key, value in given.items() if value is not None})
    with open_session(as_json=as_json) as session:
        changed = session.client.projects.update(session.project(project), change)
        session.output.model(changed, _facts(changed))


@projects.command("delete")
def delete_project(name: _Name, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a project and all that runs in it."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Delete project {name} with all its services, volumes and variables?", yes=yes)
        session.client.projects.delete(name)
        session.output.say(f"Deleted project {name}.")


def _facts(project: Project) -> dict[str, object]:
    return {
        "name": project.name,
        "id": project.id,
        "description": project.description,
        "base domain": project.base_domain,
        "services": project.service_count,
        "your role": project.role,
        "created": project.created_at,
    }


def _last(summary: ProjectSummary) -> str:
    last = summary.last_deployment
    return "-" if last is None else f"{last.service} {last.number}: {last.status}"
