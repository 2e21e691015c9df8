"""`towline secrets` and `towline webhooks`: the keys that seal secrets, and the secrets of webhooks."""

import time
from datetime import timedelta
from typing import Annotated, Final

import typer

from towline.cli.options import AsJson, ProjectOption, ServiceOption, TargetArgument, Yes
from towline.cli.session import Session, open_session
from towline.contract.sealing import Sealing

secrets = typer.Typer(name="secrets", help="How secrets are sealed at rest.")
webhooks = typer.Typer(name="webhooks", help="Webhook secrets of a service.")

_ASK_SECONDS: Final = 0.5


@secrets.callback(invoke_without_command=True)
def show_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """How secrets are sealed at rest."""
    if context.invoked_subcommand is None:
        status(as_json=as_json)


@secrets.command("status")
def status(*, as_json: AsJson = False) -> None:
    """Show the keys that seal secrets, and how far a rotation is."""
    with open_session(as_json=as_json) as session:
        sealing = session.client.secrets.get_status()
        if as_json:
            session.output.model(sealing, {})
            return
        session.output.models(
            sealing.keys,
            {
                "key": lambda row: row.id,
                "values": lambda row: row.values,
                "seals": lambda row: row.is_current,
                "in the key file": lambda row: row.is_in_file,
            },
            nothing="No key.",
        )
        if sealing.is_rotating:
            session.output.say(f"\n{sealing.remaining} of {sealing.values} values wait to be sealed anew.")


@secrets.command("rotate")
def rotate(
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait for the end.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Seal all secrets with a new key while everything runs; run again, it goes on where it was interrupted."""
    with open_session(as_json=as_json) as session:
        session.confirm(
            "Seal all secrets with a new key? Backups of the key file made before then are too old.", yes=yes
        )
        sealing = session.client.secrets.rotate()
        if not detach:
            sealing = _wait_for_end(session, sealing)
        current = sealing.keys[0].id
        session.output.model(sealing, {"key": current, "values": sealing.values, "remaining": sealing.remaining})
        if not sealing.is_rotating:
            session.output.say(
                "\nEvery secret is sealed with the new key. Back the key file up now, apart from the database."
            )


@webhooks.command("list")
def list_secrets(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    as_json: AsJson = False,
) -> None:
    """List the valid webhook secrets of a service."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service)
        session.output.models(
            session.client.webhook_secrets.list(place.project, place.service).items,
            {
                "id": lambda row: row.id,
                "made": lambda row: row.created_at,
                "ends": lambda row: row.expires_at,
                "url": lambda row: row.url,
            },
            nothing="No webhook secret; make one with `towline webhooks rotate`.",
        )


@webhooks.command("rotate")
def rotate_secret(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    hours: Annotated[
        int, typer.Option("--overlap", metavar="HOURS", min=0, max=720, help="How long the ones before stay valid.")
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Make a new webhook secret of a service; it is shown once."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service)
        made = session.client.webhook_secrets.rotate(place.project, place.service, overlap=timedelta(hours=hours))
        session.output.model(made, {"id": made.id, "url": made.url, "secret": made.value})
        session.output.say("\nGive address and secret to the sender now; the secret is not shown again.")


@webhooks.command("delete")
def delete_secret(
    secret: Annotated[str, typer.Argument(metavar="ID")],
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End a webhook secret now."""
    with open_session(as_json=as_json) as session:
        place = session.target(None, project=project, service=service)
        session.confirm(f"End the webhook secret {secret} of {place} now?", yes=yes)
        session.client.webhook_secrets.delete(place.project, place.service, secret=secret)
        session.output.say(f"Ended the webhook secret {secret}.")


def _wait_for_end(session: Session, sealing: Sealing) -> Sealing:
    """Show how many values are still to be done whenever that has changed, until the old keys are gone."""
    told = -1
    while sealing.is_rotating:
        if sealing.remaining != told:
            session.output.say(f"{sealing.values - sealing.remaining} of {sealing.values} values are sealed anew.")
            told = sealing.remaining
        time.sleep(_ASK_SECONDS)
        sealing = session.client.secrets.get_status()
    return sealing
