"""`towline templates`: databases, caches and applications to start from."""

import sys
from typing import Annotated

import typer

from towline.cli.options import AsJson, Detach, EnvironmentOption, ProjectOption, Yes
from towline.cli.project_file import carry_out
from towline.cli.session import open_session
from towline.contract.project_file import PlanRequest
from towline.contract.templates import parse_template, to_project_file
from towline.errors import InvalidInput

templates = typer.Typer(name="templates", help="Templates: databases, caches and applications to start from.")

_Name = Annotated[str, typer.Argument(metavar="TEMPLATE", help="Name of the template.")]


@templates.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Templates: databases, caches and applications to start from."""
    if context.invoked_subcommand is None:
        list_templates(as_json=as_json)


@templates.command("list")
def list_templates(*, as_json: AsJson = False) -> None:
    """List templates."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.templates.list().items,
            {
                "template": lambda row: row.name,
                "title": lambda row: row.title,
                "services": lambda row: ", ".join(row.services),
                "what it is": lambda row: row.description,
            },
            nothing="No template.",
        )


@templates.command("show")
def show_template(name: _Name, *, as_json: AsJson = False) -> None:
    """Print the file of a template."""
    with open_session(as_json=as_json) as session:
        found = session.client.templates.get(name)
        if as_json:
            session.output.model(found, {})
            return
        sys.stdout.write(found.file)


@templates.command("use")
def use_template(
    template: _Name,
    *,
    name: Annotated[
        str | None, typer.Option("--name", metavar="SERVICE", help="Name of the service; else the template's.")
    ] = None,
    answers: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Answer to a question of the template.")
    ] = None,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    no_deploy: Annotated[bool, typer.Option("--no-deploy", help="Create the services; deploy nothing.")] = False,
    detach: Detach = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Create the services of a template in a project, after showing the plan, and deploy them."""
    with open_session(as_json=as_json) as session:
        found = session.client.templates.get(template)
        file = to_project_file(
            parse_template(found.file, where=template),
            project=session.project(project),
            name=name or found.name,
            answers=_to_answers(answers or []),
        )
        request = PlanRequest(file=file, environment=session.environment(environment))
        carry_out(session, request, deploys=not no_deploy, detach=detach, yes=yes)


def _to_answers(given: list[str]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for text in given:
        variable, sign, value = text.partition("=")
        if not sign:
            raise InvalidInput(f"--set {text!r} is not NAME=VALUE.", field="set")
        answers[variable] = value
    return answers
