"""`towline connections`: credentials for git platforms."""

from pathlib import Path
from typing import Annotated

import typer

from towline.cli.keys import read_secret
from towline.cli.options import AsJson, Limit, ProjectOption, Yes
from towline.cli.session import Session, open_session
from towline.contract.connections import (
    BranchQuery,
    Connection,
    ConnectionCreate,
    ConnectionQuery,
    RemotePageQuery,
)
from towline.errors import HostRefused, HostUnavailable, InvalidInput

connections = typer.Typer(name="connections", help="Credentials for GitHub, GitLab, Gitea, Forgejo and Bitbucket.")

_Connection = Annotated[str, typer.Argument(metavar="CONNECTION", help="Id, from `towline connections list`.")]
_Cursor = Annotated[
    str | None, typer.Option("--cursor", metavar="CURSOR", help="Where the page before ended, as it said.")
]
_Project = Annotated[
    str | None, typer.Option("--project", "-p", metavar="NAME", help="Project that uses it; else all projects.")
]


@connections.command("list")
def list_connections(*, project: _Project = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List credentials for git platforms."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.connections.list(ConnectionQuery(project=project, limit=limit)).items,
            {
                "id": lambda row: row.id,
                "platform": lambda row: row.platform,
                "host": lambda row: row.host,
                "owner": lambda row: row.owner or "all",
                "for": lambda row: row.project_id or "all projects",
                "kind": lambda row: f"App {row.app_id}" if row.app_id else "token",
                "made": lambda row: row.created_at,
            },
            nothing="No connection; `towline connections add` stores one.",
        )


@connections.command("add")
def add_connection(
    platform: Annotated[str, typer.Argument(metavar="PLATFORM", help="github, gitlab, gitea or bitbucket.")],
    *,
    project: _Project = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="Host of a server of one's own; else the public one.")
    ] = None,
    owner: Annotated[
        str, typer.Option("--owner", metavar="NAME", help="Only for repositories of this account or group.")
    ] = "",
    username: Annotated[
        str, typer.Option("--username", "-u", metavar="NAME", help="User name; Bitbucket's app passwords only.")
    ] = "",
    app_id: Annotated[
        str, typer.Option("--app", metavar="ID", help="Id of the GitHub App whose private key is given.")
    ] = "",
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="FILE", help="File with the App's private key (PEM).")
    ] = None,
    api_url: Annotated[
        str, typer.Option("--api", metavar="URL", help="Address of the API where it does not follow from the host.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Store a token, asked for or read from standard input, or with --app and --key-file a GitHub App."""
    secret = read_secret("Token") if key_file is None else _read_key(key_file)
    given = {"platform": platform, "host": host, "project": project, "owner": owner, "username": username}
    body = ConnectionCreate.model_validate({**given, "secret": secret, "app_id": app_id, "api_url": api_url})
    with open_session(as_json=as_json) as session:
        made = session.client.connections.create(body)
        session.output.model(made, {"connection": made.id, "host": made.host, "api": made.api_url})
        if project is not None:
            _try_out(session, project, made)


@connections.command("repositories")
def list_repositories(
    connection: _Connection, *, project: ProjectOption = None, cursor: _Cursor = None, as_json: AsJson = False
) -> None:
    """List the repositories that a connection reaches."""
    with open_session(as_json=as_json) as session:
        query = RemotePageQuery(cursor=cursor)
        found = session.client.connections.list_repositories(session.project(project), connection, query)
        session.output.models(
            found.items,
            {
                "repository": lambda row: row.name,
                "branch": lambda row: row.default_branch,
                "url": lambda row: row.url,
            },
            nothing="It reaches no repository.",
        )
        _tell_more(session, found.next_cursor)


@connections.command("branches")
def list_branches(
    connection: _Connection,
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository.")],
    *,
    project: ProjectOption = None,
    cursor: _Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List the branches of a repository."""
    with open_session(as_json=as_json) as session:
        query = BranchQuery(repository=repository, cursor=cursor)
        found = session.client.connections.list_branches(session.project(project), connection, query)
        session.output.models(found.items, {"branch": lambda row: row.name}, nothing="It has no branch.")
        _tell_more(session, found.next_cursor)


@connections.command("remove")
def remove_connection(connection: _Connection, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a credential."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Delete the connection {connection}? Nothing is fetched or reported with it then.", yes=yes)
        session.client.connections.delete(connection)
        session.output.say(f"Deleted the connection {connection}.")


def _read_key(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read.", field="key-file") from error


def _try_out(session: Session, project: str, made: Connection) -> None:
    """Say at once whether the platform takes the credential; it is kept either way."""
    try:
        reached = len(session.client.connections.list_repositories(project, made.id).items)
    except (HostRefused, HostUnavailable, InvalidInput) as error:
        session.output.say(f"\nIt is stored, but does not work yet: {error.message}")
        return
    session.output.say(f"\nIt works: {reached} repositories are on its first page.")


def _tell_more(session: Session, cursor: str | None) -> None:
    if cursor is not None:
        session.output.say(f"\nThere may be more: --cursor {cursor}")
