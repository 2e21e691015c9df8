"""`towline volumes`: what services keep, with snapshots of it."""

from typing import Annotated

import typer

from towline.cli.backups import show_backup, show_restore
from towline.cli.options import AsJson, Detach, EnvironmentOption, ProjectOption, ServiceOption, Yes
from towline.cli.output import size_text
from towline.cli.session import open_session
from towline.contract.backups import VolumeCopy, VolumeRestore, VolumeSnapshot

volumes = typer.Typer(name="volumes", help="Volumes: what services keep.")

_Volume = Annotated[str, typer.Argument(metavar="VOLUME", help="Name of the volume.")]


@volumes.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Volumes: what services keep."""
    if context.invoked_subcommand is None:
        list_volumes(project=project, as_json=as_json)


@volumes.command("list")
def list_volumes(*, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """List volumes of a project with their size."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.volumes.list(session.project(project)).items,
            {
                "service": lambda row: row.service,
                "environment": lambda row: row.environment,
                "volume": lambda row: row.name,
                "path": lambda row: row.path,
                "size": lambda row: "not made yet" if not row.is_there else _size(row.size),
            },
            nothing="No volume.",
        )


@volumes.command("snapshot")
def snapshot_volume(
    volume: _Volume,
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Keep a volume as it is now."""
    with open_session(as_json=as_json) as session:
        place = session.target(project=project, service=service, environment=environment)
        body = VolumeSnapshot(environment=place.environment)
        made = session.client.volumes.snapshot(place.project, place.service, volume, body)
        show_backup(session, place.project, made, detach=detach)


@volumes.command("restore")
def restore_volume(
    volume: _Volume,
    backup: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="Id, as `towline backups` lists it.")],
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    detach: Detach = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make a volume what a snapshot holds; the service stops meanwhile, and what was is kept as a snapshot."""
    with open_session(as_json=as_json) as session:
        place = session.target(project=project, service=service, environment=environment)
        session.confirm(f"Stop {place} and put its volume {volume} back to {backup}?", yes=yes)
        body = VolumeRestore(backup=backup, environment=place.environment)
        made = session.client.volumes.restore(place.project, place.service, volume, body)
        show_restore(session, place.project, made, detach=detach)


@volumes.command("copy")
def copy_volume(
    volume: _Volume,
    to_environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="Environment that gets the content.")],
    *,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    detach: Detach = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Copy a volume's content into the same service of another environment, over what is there."""
    with open_session(as_json=as_json) as session:
        place = session.target(project=project, service=service, environment=environment)
        session.confirm(f"Replace the volume {volume} of {place.service} in {to_environment}?", yes=yes)
        body = VolumeCopy(to_environment=to_environment, environment=place.environment)
        made = session.client.volumes.copy(place.project, place.service, volume, body)
        show_restore(session, place.project, made, detach=detach)


def _size(size: int | None) -> str:
    return "unknown" if size is None else size_text(size)
