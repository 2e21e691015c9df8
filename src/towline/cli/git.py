"""`towline git-remote | git-credential`: a service's own repository as a remote of the repository one works in."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from towline.cli.credentials import get_credentials
from towline.cli.options import AsJson, ProjectOption, TargetArgument
from towline.cli.session import Session, Target, open_session
from towline.contract.services import ServiceUpdate
from towline.contract.sources import ServiceSource
from towline.errors import Conflict, InvalidInput, NotInstalled

_PUSH: Final = "push"
_HELPER: Final = "!towline git-credential"


def git_remote(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add it to the repository of this folder, with Towline's own credential.")
    ] = False,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the remote is called there.")] = "towline",
    take_pushes: Annotated[
        bool, typer.Option("--take-pushes", help="Have the service built from what is pushed, whatever it was before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show where a service is pushed to with git, or add that as a remote.

    git asks for a user name, which may be any, and a password: an API key that may deploy.
    """
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project)
        _check_takes_pushes(session, place, take_pushes=take_pushes)
        url = f"{session.credentials.url.rstrip('/')}/git/{place.project}/{place.service}.git"
        if add:
            _run_git("remote", "add", "--", name, url)
            parts = urlsplit(url)
            _run_git("config", f"credential.{parts.scheme}://{parts.netloc}.helper", _HELPER)
        if as_json:
            session.output.document({"url": url})
        else:
            session.output.say(url)


def git_credential(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="What git asks for: get, store or erase.")],
) -> None:
    """Tell git the API key of `towline login`, for the server it belongs to; git runs this, nobody else needs to."""
    if action != "get":
        return
    asked: dict[str, str] = {}
    for line in sys.stdin:
        name, _, value = line.rstrip("\n").partition("=")
        asked[name] = value
    credentials = get_credentials(os.environ, linked_url=None)
    own = urlsplit(credentials.url)
    if (asked.get("protocol"), asked.get("host")) == (own.scheme, own.netloc):
        sys.stdout.write(f"username=towline\npassword={credentials.api_key}\n")


def _check_takes_pushes(session: Session, place: Target, *, take_pushes: bool) -> None:
    service = session.client.services.get(place.project, place.service)
    if service.source.type == _PUSH:
        return
    if not take_pushes:
        raise Conflict(
            f"{place} is built from the source {service.source.type!r}, and not from what is pushed.",
            hint="Pass --take-pushes to change that.",
        )
    changes = ServiceUpdate(source=ServiceSource(type=_PUSH))
    session.client.services.update(place.project, place.service, changes)


def _run_git(*arguments: str) -> None:
    try:
        finished = subprocess.run(
            ["git", *arguments], cwd=Path.cwd(), capture_output=True, text=True, check=False, timeout=30
        )
    except FileNotFoundError as error:
        raise NotInstalled("The program 'git' is not installed.") from error
    if finished.returncode:
        raise InvalidInput(
            f"git {arguments[0]} failed: {finished.stderr.strip()[:500]}", hint="Run it in a git repository."
        )
