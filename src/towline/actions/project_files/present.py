"""The state of a project as it is."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from towline.actions.dependencies import get_graph
from towline.actions.platform import Platform
from towline.actions.previews.rules import Rules, rules_of, rules_payload
from towline.actions.project_files.state import (
    DomainKey,
    DomainState,
    ProjectState,
    ServiceState,
    VariableState,
)
from towline.actions.variables import variable_context
from towline.infra.database import Work
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service, Variable, Workload

_VARIABLE_LEVELS = ("project", "service", "preview")


async def present_state(
    platform: Platform, work: Work, project: Project, *, defaults: Mapping[str, Any]
) -> ProjectState:
    """Everything of a project that a file can say; secrets without their values.

    `defaults` are the contract's for settings of a service that were never given.
    """
    query = select(Service).where(Service.project_id == project.id, Service.deleted_at.is_(None)).order_by(Service.name)
    services = {service.id: service for service in await work.session.scalars(query)}
    variables = await _list_variables(platform, work, project, services)
    domains = await _list_domains(work, project)
    graph = await get_graph(work, project.id)
    return ProjectState(
        name=project.name,
        settings={"description": project.description, "base_domain": project.base_domain},
        variables=variables.get(project.id, {}),
        preview_variables=variables.get("previews", {}),
        preview_rules=rules_payload(rules_of(project)),
        services={
            service.name: ServiceState(
                settings=_settings(service, defaults),
                needs={
                    graph.names[edge.needs_id]: edge.is_cascading
                    for edge in graph.edges
                    if edge.service_id == service.id
                },
                variables=variables.get(service.id, {}),
                domains=domains.get(service.id, {}),
            )
            for service in services.values()
        },
    )


def empty_state(name: str) -> ProjectState:
    """A project that is not there yet."""
    settings = {"description": "", "base_domain": ""}
    return ProjectState(name=name, settings=settings, preview_rules=rules_payload(Rules()), is_there=False)


def _settings(service: Service, defaults: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        "type": service.type,
        "dockerfile_path": service.dockerfile_path,
        "port": service.port,
        "source": {"type": service.source_type, "config": service.source_config},
    }
    settings: dict[str, Any] = {**defaults, **service.build, **service.run, **kept}
    settings["volumes"] = sorted(settings["volumes"], key=lambda volume: volume["name"])
    return settings


async def _list_variables(
    platform: Platform, work: Work, project: Project, services: Mapping[str, Service]
) -> dict[str, dict[str, VariableState]]:
    """Variables by the id of the service, of the project, or `previews`."""
    is_mine = (Variable.project_id == project.id) | Variable.service_id.in_(list(services))
    query = select(Variable).where(is_mine, Variable.level.in_(_VARIABLE_LEVELS)).order_by(Variable.name)
    found: dict[str, dict[str, VariableState]] = {}
    for row in await work.session.scalars(query):
        owner = row.service_id or ("previews" if row.level == "preview" else project.id)
        found.setdefault(owner, {})[row.name] = _variable(platform, row)
    return found


def _variable(platform: Platform, row: Variable) -> VariableState:
    value = None if row.is_secret else platform.secrets.open_text(row.value, context=variable_context(row))
    return VariableState(value, row.is_secret, tuple(sorted(row.environment_kinds or ())), row.mount_path)


async def _list_domains(work: Work, project: Project) -> dict[str, dict[DomainKey, DomainState]]:
    query = (
        select(Route, Workload.service_id, Environment.name)
        .join(Workload, Workload.id == Route.workload_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .where(Workload.project_id == project.id, Route.kind == "custom", Environment.deleted_at.is_(None))
        .order_by(Route.host, Route.path_prefix)
    )
    found: dict[str, dict[DomainKey, DomainState]] = {}
    for route, service_id, environment in await work.session.execute(query):
        state = DomainState(
            strip_path=bool(route.middlewares.get("strip_prefix")),
            certificate="none" if route.certificate == "none" else "auto",
            redirect_to_https=route.redirect_to_https,
        )
        found.setdefault(service_id, {})[(environment, route.host, route.path_prefix)] = state
    return found
