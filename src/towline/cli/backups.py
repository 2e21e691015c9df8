"""`towline backups`: dumps and snapshots, and what is restored from them."""

from pathlib import Path
from typing import Annotated

import typer

from towline.cli.options import (
    AsJson,
    Detach,
    EnvironmentOption,
    Limit,
    ProjectOption,
    ServiceOption,
    TargetArgument,
    Yes,
)
from towline.cli.output import size_text
from towline.cli.session import Session, open_session
from towline.contract.backups import Backup, BackupCreate, BackupQuery, BackupRestore, BackupTest, Restore
from towline.errors import CommandFailed

backups = typer.Typer(name="backups", help="Backups: dumps of databases and snapshots of volumes.")

_WAIT_SECONDS = 4 * 3600.0
_Id = Annotated[str, typer.Argument(metavar="BACKUP", help="Id, as `towline backups` lists it.")]


@backups.callback(invoke_without_command=True)
def list_by_default(
    context: typer.Context, *, project: ProjectOption = None, service: ServiceOption = None, as_json: AsJson = False
) -> None:
    """Backups: dumps of databases and snapshots of volumes."""
    if context.invoked_subcommand is None:
        list_backups(project=project, service=service, as_json=as_json)


@backups.command("list")
def list_backups(
    *, project: ProjectOption = None, service: ServiceOption = None, limit: Limit = 20, as_json: AsJson = False
) -> None:
    """List dumps and snapshots, newest first."""
    with open_session(as_json=as_json) as session:
        query = BackupQuery(service=service, limit=limit)
        session.output.models(
            session.client.backups.list(session.project(project), query).items,
            {
                "id": lambda row: row.id,
                "of": lambda row: f"{row.service}{f' {row.volume}' if row.volume else ''} ({row.environment})",
                "kind": lambda row: row.kind,
                "status": lambda row: row.status,
                "size": lambda row: size_text(row.stored_size),
                "why": lambda row: row.trigger,
                "taken": lambda row: row.created_at,
                "tested": lambda row: row.test_status or "never",
            },
            nothing="No backup yet; take one with `towline backups create`.",
        )


@backups.command("create")
def create_backup(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Dump a service now."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project, service=service, environment=environment)
        body = BackupCreate(environment=place.environment)
        made = session.client.backups.create(place.project, place.service, body)
        show_backup(session, place.project, made, detach=detach)


@backups.command("show")
def show(backup: _Id, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Show a dump or snapshot."""
    with open_session(as_json=as_json) as session:
        say_backup(session, session.client.backups.get(session.project(project), backup))


@backups.command("download")
def download_backup(
    backup: _Id,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; must not be there.")] = None,
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Download a dump or snapshot, packed by zstd."""
    with open_session(as_json=as_json) as session:
        target = output or Path(f"{backup}.zst")
        size = session.client.backups.download(session.project(project), backup, target)
        session.output.say(f"Wrote {target}, {size_text(size)}; unpack it with `zstd -d`.")


@backups.command("delete")
def delete_backup(backup: _Id, *, project: ProjectOption = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a dump or snapshot."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Delete {backup} for good?", yes=yes)
        session.client.backups.delete(session.project(project), backup)
        session.output.say(f"Deleted {backup}.")


@backups.command("restore")
def restore_backup(
    backup: _Id,
    *,
    name: Annotated[str | None, typer.Option("--name", metavar="SERVICE", help="Name of the new service.")] = None,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Restore into a new service; the old one stays as it is."""
    with open_session(as_json=as_json) as session:
        place, body = session.project(project), BackupRestore(name=name, environment=session.environment(environment))
        show_restore(session, place, session.client.backups.restore(place, backup, body), detach=detach)


@backups.command("test")
def try_backup(
    backup: _Id,
    *,
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- CHECK...]", help="Exits with 0 if right.")] = None,
    project: ProjectOption = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Restore into a service that is removed afterwards, and keep the result."""
    with open_session(as_json=as_json) as session:
        place, body = session.project(project), BackupTest(check_command=command or [])
        show_restore(session, place, session.client.backups.test(place, backup, body), detach=detach)


def show_backup(session: Session, project: str, backup: Backup, *, detach: bool) -> None:
    """Show a backup, once it has ended unless detached; CommandFailed when it failed."""
    if not detach:
        backup = session.client.backups.wait_for(project, backup.id, timeout=_WAIT_SECONDS)
    say_backup(session, backup)
    if backup.status == "failed":
        raise CommandFailed(f"The {backup.kind} {backup.id} failed: {backup.error}")


def say_backup(session: Session, backup: Backup) -> None:
    """Show what a backup is."""
    facts = {
        "id": backup.id,
        "of": f"{backup.service} ({backup.environment})",
        "volume": backup.volume,
        "status": backup.status,
        "error": backup.error,
        "size": f"{size_text(backup.size)}, {size_text(backup.stored_size)} on the disk",
        "content": backup.digest,
        "tested": f"{backup.test_status or 'never'} {backup.test_error}".strip(),
    }
    session.output.model(backup, facts)


def show_restore(session: Session, project: str, restore: Restore, *, detach: bool) -> None:
    """Show a restore, once it has ended unless detached; CommandFailed when it failed."""
    if not detach:
        restore = session.client.backups.wait_for_restore(project, restore.id, timeout=_WAIT_SECONDS)
    facts = {"id": restore.id, "service": restore.service, "status": restore.status, "error": restore.error}
    session.output.model(restore, facts)
    if restore.status == "failed":
        raise CommandFailed(f"The restore {restore.id} failed: {restore.error}")
