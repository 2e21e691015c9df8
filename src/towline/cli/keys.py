"""`towline keys` and `towline registries`: credentials for programs and for images."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from towline.cli.options import AsJson, ProjectOption, Yes
from towline.cli.session import open_session
from towline.contract.keys import KeyCreate, KeyQuery
from towline.contract.registries import RegistryCreate, RegistryQuery
from towline.errors import InvalidInput

keys = typer.Typer(name="keys", help="API keys: credentials for programs.")
registries = typer.Typer(name="registries", help="Registries: credentials for pulling and pushing images.")


@keys.callback(invoke_without_command=True)
def list_keys_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """API keys: credentials for programs."""
    if context.invoked_subcommand is None:
        list_keys(as_json=as_json)


@keys.command("list")
def list_keys(
    *,
    user: Annotated[
        str | None, typer.Option("--user", metavar="ID", help="Those of this user (id or e-mail); for administrators.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Those of everybody; for administrators.")] = False,
    as_json: AsJson = False,
) -> None:
    """List API keys, your own unless you say whose."""
    chosen = "*" if everybody else user
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.keys.list(KeyQuery(user=chosen, limit=200)).items,
            {
                **({"user": lambda row: row.user_id} if chosen else {}),
                "name": lambda row: row.name,
                "key": lambda row: f"{row.prefix}…",
                "scopes": lambda row: row.scopes,
                "expires": lambda row: row.expires_at,
                "valid in": lambda row: row.addresses or None,
                "last used": lambda row: row.last_used_at,
                "from": lambda row: row.last_used_address or None,
                "id": lambda row: row.id,
            },
            nothing="No key.",
        )


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", help="The only project it may touch.")
    ] = None,
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", metavar="PERMISSION", help="Permission; may be given several times.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", min=1, max=3650, help="Days until it expires.")
    ] = None,
    addresses: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="NETWORK", help="Network it may be used from; may be given several times."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key; it is shown once. It ends with the key you make it with."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with open_session(as_json=as_json) as session:
        key = session.client.keys.create(
            KeyCreate(
                name=name, project=project, scopes=scopes or ["*"], expires_at=expires_at, addresses=addresses or []
            )
        )
        session.output.model(key, {"name": key.name, "id": key.id, "key": key.value})
        session.output.say("\nKeep it now; it is not shown again.")


@keys.command("delete")
def delete_key(key: Annotated[str, typer.Argument(metavar="ID")], *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Revoke an API key, and with it all keys it made; administrators anybody's."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Revoke key {key} and all keys it made?", yes=yes)
        session.client.keys.delete(key)
        session.output.say(f"Revoked key {key}.")


@registries.callback(invoke_without_command=True)
def list_registries_by_default(
    context: typer.Context, *, project: ProjectOption = None, as_json: AsJson = False
) -> None:
    """Registries: credentials for pulling and pushing images."""
    if context.invoked_subcommand is None:
        list_registries(project=project, as_json=as_json)


@registries.command("list")
def list_registries(*, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """List registries with stored credentials."""
    with open_session(as_json=as_json) as session:
        chosen = project or (session.link.project if session.link else None)
        session.output.models(
            session.client.registries.list(RegistryQuery(project=chosen)).items,
            {
                "host": lambda row: row.host,
                "user": lambda row: row.username,
                "project": lambda row: row.project_id or "all",
                "id": lambda row: row.id,
            },
            nothing="No registry.",
        )


@registries.command("add")
def add_registry(
    host: Annotated[str, typer.Argument(help="Host and port, such as registry.example.com:5000.")],
    *,
    username: Annotated[str, typer.Option("--username", "-u", metavar="NAME", help="User name.")],
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", help="The only project that may use it; else all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store credentials; the password is asked for, or read from standard input."""
    password = read_secret("Password")
    with open_session(as_json=as_json) as session:
        body = RegistryCreate(host=host, project=project, username=username, password=password)
        registry = session.client.registries.create(body)
        session.output.model(registry, {"host": registry.host, "user": registry.username, "id": registry.id})


@registries.command("remove")
def remove_registry(
    registry: Annotated[str, typer.Argument(metavar="ID")], *, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Delete stored credentials."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Delete the credentials {registry}?", yes=yes)
        session.client.registries.delete(registry)
        session.output.say(f"Deleted the credentials {registry}.")


def read_secret(what: str) -> str:
    """A secret typed unseen at a terminal, or the first line of standard input."""
    if sys.stdin.isatty():
        return typer.prompt(what, hide_input=True, err=True)
    secret = sys.stdin.readline().rstrip("\n")
    if not secret:
        raise InvalidInput(f"No {what.lower()} came on standard input.", hint="Pipe it in, or run this in a terminal.")
    return secret
