"""From the text of a project file to what it wants."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from towline.actions.environments import PRODUCTION
from towline.actions.project_files.planning import Request
from towline.actions.project_files.state import (
    UPLOAD,
    DomainState,
    ProjectState,
    ServiceState,
    VariableState,
)
from towline.contract.project_file import FileDomain, FileService, FileVariable, ProjectFile, memory_bytes
from towline.contract.project_file_text import parse_project_file
from towline.contract.services import ServiceCreate


@cache
def default_settings() -> Mapping[str, Any]:
    """What a service has where nothing was said, by the contract."""
    hidden = {"name", "credential", "build_secrets"}
    return ServiceCreate(name="any").model_dump(mode="json", exclude=hidden)


def read_request(text: str, where: str) -> Request:
    """What the text of a project file asks for in production; InvalidInput with the place in it."""
    return Request(wanted_state(parse_project_file(text, where=where)), default_settings(), PRODUCTION)


def wanted_state(file: ProjectFile) -> ProjectState:
    """What a file wants."""
    return ProjectState(
        name=file.project,
        settings=_project_settings(file),
        variables=_variables(file.variables),
        preview_variables=_variables(file.preview_variables),
        preview_rules=file.previews.model_dump(mode="json") if file.previews is not None else None,
        services={name: _service(service) for name, service in sorted(file.services.items())},
    )


def _project_settings(file: ProjectFile) -> dict[str, Any]:
    """What the file says of the project itself; what it leaves out stays as it is."""
    given = {"description": file.description, "base_domain": file.base_domain or ""}
    return {name: value for name, value in given.items() if name in file.model_fields_set}


def _service(service: FileService) -> ServiceState:
    return ServiceState(
        settings=_settings(service),
        needs={need.service: need.cascade for need in service.needs},
        variables=_variables(service.variables),
        domains={(item.environment, item.host, item.path): _domain(item) for item in service.domains},
    )


def _settings(service: FileService) -> dict[str, Any]:
    build = service.build
    return {
        "type": service.type.value,
        "source": _source(service),
        "dockerfile_path": build.dockerfile,
        "context": build.context,
        "target": build.target,
        "builder": build.builder,
        "build_arguments": dict(build.arguments),
        "watch_paths": list(build.watch),
        "start_command": list(service.command),
        "release_command": list(service.release_command),
        "port": service.port,
        "health": service.health.model_dump(mode="json"),
        "replicas": service.replicas,
        "max_surge": service.max_surge,
        "memory_bytes": memory_bytes(service.memory),
        "cpus": service.cpus,
        "stop_grace_seconds": service.stop_grace_seconds,
        "drain_seconds": service.drain_seconds,
        "backup": service.backup.model_dump(mode="json") if service.backup is not None else None,
        "volumes": [{"name": name, "path": path} for name, path in sorted(service.volumes.items())],
        "schedule": service.schedule,
        "time_zone": service.time_zone,
        "timeout_seconds": service.timeout_seconds,
    }


def _source(service: FileService) -> dict[str, Any]:
    if service.image is not None:
        return {"type": "custom", "config": {"image": service.image}}
    if service.dockerfile_text is not None:
        return {"type": "custom", "config": {"dockerfile": service.dockerfile_text}}
    if service.source is not None:
        return service.source.model_dump(mode="json")
    if service.git is None:
        return {"type": UPLOAD, "config": {}}
    git = service.git
    given = git.model_dump(mode="json")
    return {"type": "git", "config": {name: value for name, value in given.items() if value is not None}}


def _variables(given: Mapping[str, FileVariable]) -> dict[str, VariableState]:
    return {
        name: VariableState(
            item.value,
            item.secret,
            tuple(sorted(kind.value for kind in item.kinds)),
            mount_path=item.file or "",
            generates=item.generate,
        )
        for name, item in sorted(given.items())
    }


def _domain(item: FileDomain) -> DomainState:
    has_certificate = item.certificate == "auto"
    return DomainState(
        strip_path=item.strip_path and item.path != "/",
        certificate=item.certificate,
        redirect_to_https=item.redirect_to_https and has_certificate,
    )
