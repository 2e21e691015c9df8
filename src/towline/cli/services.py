"""`towline services`: list, create, show, change and delete services."""

import shlex
from typing import Annotated, Any

import typer

from towline.cli.group import depend
from towline.cli.options import AsJson, ProjectOption, TargetArgument, Yes
from towline.cli.output import size_text
from towline.cli.service_options import (
    Arguments,
    BuildSecrets,
    Cpus,
    Health,
    Memory,
    Port,
    Setting,
    StartCommand,
    Volumes,
    settings_from,
)
from towline.cli.session import open_session
from towline.contract.services import Service, ServiceCreate, ServiceSearch, ServiceUpdate
from towline.values import ServiceType

services = typer.Typer(name="services", help="Services: the programs of a project and their settings.")

_ServiceType = Annotated[ServiceType | None, typer.Option("--type", help="What kind of program it is.")]


@services.callback(invoke_without_command=True)
def list_by_default(context: typer.Context, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Services: the programs of a project and their settings."""
    if context.invoked_subcommand is None:
        list_services(project=project, as_json=as_json)


@services.command("list")
def list_services(*, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """List services of a project."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            list(session.client.services.iterate(session.project(project))),
            {
                "name": lambda row: row.name,
                "type": lambda row: row.type,
                "source": lambda row: row.source.type,
                "health": lambda row: row.status,
                "url": lambda row: row.urls[0] if row.urls else None,
            },
            nothing="No service yet; `towline deploy` makes one.",
        )


@services.command("search")
def search_services(
    words: Annotated[list[str], typer.Argument(help="Parts of the name of the service or its project.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Search services of all projects."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.services.search(ServiceSearch(text=" ".join(words), limit=200)).items,
            {"project": lambda row: row.project, "name": lambda row: row.name, "type": lambda row: row.type},
            nothing="No service of that name.",
        )


@services.command("create")
def create_service(
    name: Annotated[str, typer.Argument(help="Name of the service.")],
    *,
    project: ProjectOption = None,
    kind: _ServiceType = None,
    port: Port = None,
    start_command: StartCommand = None,
    health: Health = None,
    memory: Memory = None,
    cpus: Cpus = None,
    volumes: Volumes = None,
    build_arguments: Arguments = None,
    build_secrets: BuildSecrets = None,
    settings: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Create a service; nothing runs until it is deployed."""
    body = settings_from(
        settings,
        type=kind,
        port=port,
        start_command=start_command,
        health=health,
        memory=memory,
        cpus=cpus,
        volumes=volumes,
        build_arguments=build_arguments,
        build_secrets=build_secrets,
    )
    with open_session(as_json=as_json) as session:
        created = session.client.services.create(
            session.project(project), ServiceCreate.model_validate({**body, "name": name})
        )
        session.output.model(created, _facts(created))


@services.command("show")
def show_service(target: TargetArgument = None, *, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Show a service's settings."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project)
        service = session.client.services.get(place.project, place.service)
        session.output.model(service, _facts(service))


@services.command("update")
def update_service(
    target: TargetArgument = None,
    *,
    project: ProjectOption = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="New name.")] = None,
    kind: _ServiceType = None,
    port: Port = None,
    start_command: StartCommand = None,
    health: Health = None,
    memory: Memory = None,
    cpus: Cpus = None,
    volumes: Volumes = None,
    build_arguments: Arguments = None,
    build_secrets: BuildSecrets = None,
    settings: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Change a service's settings; running instances change with the next deployment."""
    body = settings_from(
        settings,
        name=name,
        type=kind,
        port=port,
        start_command=start_command,
        health=health,
        memory=memory,
        cpus=cpus,
        volumes=volumes,
        build_arguments=build_arguments,
        build_secrets=build_secrets,
    )
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project)
        changed = session.client.services.update(place.project, place.service, ServiceUpdate.model_validate(body))
        session.output.model(changed, _facts(changed))
        session.output.say("\nDeploy again to bring this to running instances.")


@services.command("delete")
def delete_service(
    target: Annotated[str, typer.Argument(metavar="[PROJECT/]SERVICE")],
    *,
    project: ProjectOption = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a service, all that runs of it, and its volumes."""
    with open_session(as_json=as_json) as session:
        place = session.target(target, project=project)
        session.confirm(f"Delete service {place} with its volumes?", yes=yes)
        session.client.services.delete(place.project, place.service)
        session.output.say(f"Deleted service {place}.")


services.command("depend")(depend)


def _facts(service: Service) -> dict[str, Any]:
    return {
        "name": service.name,
        "id": service.id,
        "type": service.type,
        "source": _source_text(service),
        "builder": service.builder,
        "dockerfile": service.dockerfile_path,
        "context": service.context,
        "start command": shlex.join(service.start_command),
        "release command": shlex.join(service.release_command),
        "port": "found by itself" if service.is_auto_port else service.port,
        "health check": f"{service.health.kind} {service.health.path}",
        "replicas": service.replicas,
        "memory": size_text(service.memory_bytes) if service.memory_bytes else None,
        "cpus": service.cpus,
        "volumes": [f"{volume.name}:{volume.path}" for volume in service.volumes],
        "build secrets": service.build_secret_names,
        "urls": service.urls,
        "changed": service.updated_at,
    }


def _source_text(service: Service) -> str:
    config = ", ".join(f"{name} {value}" for name, value in service.source.config.items() if name != "dockerfile")
    return f"{service.source.type} {config}".strip()
