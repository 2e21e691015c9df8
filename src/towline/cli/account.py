"""`towline config | open | events`: the server, and what happens on it."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from towline import __version__
from towline.cli.credentials import find_credentials
from towline.cli.link import find_link
from towline.cli.options import AsJson, EnvironmentOption, ProjectOption, ServiceOption, TargetArgument
from towline.cli.output import Output
from towline.cli.session import open_session
from towline.client import TowlineClient
from towline.errors import NotFound, TowlineError


def config(*, as_json: AsJson = False) -> None:
    """Show which server is used, as whom, and what this folder is linked to."""
    output = Output(is_json=as_json)
    link = find_link(Path.cwd())
    credentials = find_credentials(os.environ, linked_url=link.url if link else None)
    facts: dict[str, object] = {"client": __version__, "server": None, "key from": None, "linked to": None}
    if link:
        facts["linked to"] = f"{link.project}/{link.service} ({link.environment})"
    if credentials:
        facts |= {"server": credentials.url, "key from": credentials.origin}
        facts |= _server_facts(credentials.url, credentials.api_key)
    if as_json:
        output.document({name.replace(" ", "_"): value for name, value in facts.items()})
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        output.line(f"{name:<{width}}  {'-' if value is None else value}")


def _server_facts(url: str, api_key: str) -> dict[str, object]:
    try:
        with TowlineClient(url, api_key, timeout=5) as client:
            platform = client.instance.get_platform()
            account = client.instance.get_account()
    except TowlineError as error:
        return {"problem": error.message}
    return {
        "server version": platform.version,
        "base domain": platform.base_domain,
        "signed in as": account.user.email or account.user.name or account.user.id,
    }


def open_page(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    print_only: Annotated[bool, typer.Option("--print", help="Only print the address.")] = False,
    as_json: AsJson = False,
) -> None:
    """Open a service's address in the browser."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        status = session.client.services.get_status(place.project, place.service, environment=place.environment)
        if not status.urls:
            raise NotFound(f"{place} has no address yet.", hint="Deploy it first.")
        if as_json:
            session.output.document({"urls": status.urls})
        session.output.say(status.urls[0])
        if not print_only and not as_json and sys.stdout.isatty():
            webbrowser.open(status.urls[0])


def events(
    *,
    project: ProjectOption = None,
    deployment: Annotated[str | None, typer.Option("--deployment", metavar="ID", help="Only of this one.")] = None,
    since: Annotated[int | None, typer.Option("--since", metavar="N", min=0, help="After this sequence.")] = None,
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="End after so many events.")] = None,
    as_json: AsJson = False,
) -> None:
    """Follow events of a project or deployment as they happen. With --json every event is one line."""
    with open_session(as_json=as_json) as session:
        if deployment:
            room = f"deployment:{deployment}"
        else:
            room = f"project:{session.client.projects.get(session.project(project)).id}"
        for number, event in enumerate(session.client.events.follow([room], since=since), start=1):
            if as_json:
                typer.echo(event.model_dump_json(exclude_none=True))
            else:
                told = event.data.model_dump(exclude_none=True, exclude={"logs"})
                facts = " ".join(f"{name}={value}" for name, value in told.items())
                session.output.line(f"{event.at.isoformat(timespec='seconds')} {event.type} {facts}")
            if number == count:
                return
