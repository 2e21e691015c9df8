"""`towline notifications`: who is told when something happens."""

from typing import Annotated

import typer

from towline.cli.options import AsJson, Limit, ProjectOption, Yes
from towline.cli.output import Output
from towline.cli.session import Session, open_session
from towline.contract.base import PageQuery
from towline.contract.notifications import (
    NewNotificationChannel,
    NotificationChannelCreate,
    NotificationChannelQuery,
    NotificationChannelUpdate,
)

notifications = typer.Typer(name="notifications", help="Notifications: who is told when something happens.")

_Channel = Annotated[
    str, typer.Argument(metavar="CHANNEL", help="Id of the channel, from `towline notifications list`.")
]
_Instance = Annotated[bool, typer.Option("--instance", help="Of the whole instance, not of one project.")]
_Events = Annotated[list[str] | None, typer.Option("--event", metavar="EVENT", help="May be repeated.")]
_Kinds = Annotated[
    list[str] | None,
    typer.Option("--environment", metavar="KIND", help="production, staging or preview; may be repeated."),
]


@notifications.command("list")
def list_channels(*, instance: _Instance = False, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """List channels."""
    with open_session(as_json=as_json) as session:
        query = NotificationChannelQuery(project=_place(session, project, is_instance=instance))
        found = session.client.notifications.list_channels(query)
        session.output.models(
            found.items,
            {
                "id": lambda row: row.id,
                "name": lambda row: row.name,
                "by": lambda row: row.kind,
                "address": lambda row: row.shown,
                "events": lambda row: ", ".join(row.events),
                "": lambda row: "paused" if row.is_paused else "",
            },
            nothing="Nobody is told yet; `towline notifications create` adds a channel.",
        )


@notifications.command("create")
def create_channel(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the channel.")],
    kind: Annotated[str, typer.Argument(metavar="BY", help="email, slack, discord, telegram, webhook or other.")],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where to; see docs/guide/notifications.md.")],
    *,
    event: _Events = None,
    environment: _Kinds = None,
    instance: _Instance = False,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Add a channel; without --event it is told of what fails."""
    given = {"name": name, "kind": kind, "address": address}
    chosen = {"events": event, "environments": environment}
    with open_session(as_json=as_json) as session:
        wanted = {**given, "project": _place(session, project, is_instance=instance)}
        wanted |= {field: value for field, value in chosen.items() if value}
        made = session.client.notifications.create_channel(NotificationChannelCreate.model_validate(wanted))
        _show_new(session.output, made)


@notifications.command("update")
def update_channel(
    channel: _Channel,
    *,
    name: Annotated[str | None, typer.Option("--name", help="New name.")] = None,
    address: Annotated[str | None, typer.Option("--address", help="New address.")] = None,
    event: _Events = None,
    environment: _Kinds = None,
    paused: Annotated[bool | None, typer.Option("--pause/--resume", help="Send nothing for now, or again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a channel, or pause it."""
    given = {"name": name, "address": address, "events": event, "environments": environment, "is_paused": paused}
    change = NotificationChannelUpdate.model_validate({k: v for k, v in given.items() if v not in (None, [])})
    with open_session(as_json=as_json) as session:
        changed = session.client.notifications.update_channel(channel, change)
        facts = {"channel": changed.name, "events": changed.events, "paused": "yes" if changed.is_paused else "no"}
        session.output.model(changed, facts)


@notifications.command("delete")
def delete_channel(channel: _Channel, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a channel."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Delete {channel}? Nobody is told by it any more.", yes=yes)
        session.client.notifications.delete_channel(channel)
        session.output.say(f"Deleted {channel}.")


@notifications.command("test")
def send_test(channel: _Channel, *, as_json: AsJson = False) -> None:
    """Send a test message; `towline notifications sent` says what became of it."""
    with open_session(as_json=as_json) as session:
        queued = session.client.notifications.test(channel)
        session.output.model(queued, {"notification": queued.id, "status": queued.status})


@notifications.command("sent")
def list_sent(channel: _Channel, *, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List what a channel was told, and what became of it."""
    with open_session(as_json=as_json) as session:
        found = session.client.notifications.list(channel, PageQuery(limit=limit))
        session.output.models(
            found.items,
            {
                "what": lambda row: row.title,
                "status": lambda row: row.status,
                "": lambda row: row.reason,
                "came": lambda row: row.created_at,
            },
            nothing="Nothing was told yet.",
        )


def _place(session: Session, project: str | None, *, is_instance: bool) -> str | None:
    return None if is_instance else session.project(project)


def _show_new(output: Output, made: NewNotificationChannel) -> None:
    facts = {"channel": made.id, "name": made.name, "address": made.shown}
    if made.secret is not None:
        facts["secret"] = made.secret
    output.model(made, facts)
    if made.secret is not None:
        output.say("\nMessages are signed with the secret, which is not shown again.")
