"""What instances of a service get: the variables of all levels, merged, limited to the environment, and resolved."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select

from towline.actions.configuration.references import Reference, Value, find_references, resolve
from towline.actions.platform import Platform
from towline.actions.routes import ensure_generated_route, internal_host, route_url
from towline.actions.sharing import find_home, is_of_fork
from towline.actions.variables import LEVELS, EffectiveVariable, applies, check_size, merge, variable_context
from towline.actions.workloads import lock_workload
from towline.errors import InvalidInput
from towline.infra.database import Work
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service, Variable, Workload
from towline.values import EnvironmentKind, ServiceType

_INTERNAL_PORT: Final = "80"


@dataclass(frozen=True, slots=True)
class Target:
    """Where variables are resolved: a service in an environment, for a commit (empty: not known yet)."""

    project: Project
    service: Service
    environment: Environment
    commit: str = ""

    @property
    def kind(self) -> EnvironmentKind:
        """The kind of the environment."""
        return EnvironmentKind(self.environment.kind)


Levels = Mapping[str, list[EffectiveVariable]]


async def resolve_variables(platform: Platform, work: Work, target: Target) -> dict[str, EffectiveVariable]:
    """The effective variables by name with every reference replaced.

    InvalidInput naming the place for an unknown reference or a circle. May give a service that is referred to, and was
    never deployed here, its workload and address, so that services can refer to each other before either runs.
    """
    services = await _list_services(work, target.project)
    merged = await merge_variables(platform, work, target, services=services.values())
    own = merged[target.service.id]
    texts = {services[id_].name: _values(variables) for id_, variables in merged.items() if id_ in services}
    texts[target.service.name] = _values(own)
    facts = await _collect_facts(platform, work, target, texts=texts, services=services)

    def get_fact(reference: Reference) -> str:
        return _get_fact(facts, reference, target)

    resolved = resolve(target.service.name, variables=texts, get_fact=get_fact)
    effective = {
        name: replace(variable, value=resolved[name].text, is_secret=resolved[name].is_secret)
        for name, variable in own.items()
    }
    _check(effective)
    return effective


async def merge_variables(
    platform: Platform, work: Work, target: Target, *, services: Iterable[Service]
) -> dict[str, dict[str, EffectiveVariable]]:
    """The merged variables of each service by its id, as they are written: references not replaced."""
    ids = {target.service.id, *(service.id for service in services)}
    rows = list(await work.session.scalars(select(Variable).where(_reaches(target, ids))))
    shared: dict[str, list[EffectiveVariable]] = {level: [] for level in LEVELS}
    own: dict[str, list[EffectiveVariable]] = {id_: [] for id_ in ids}
    is_fork = await is_of_fork(work, target.environment)
    # Those of one preview come after those of all previews, and so hide them.
    for row in sorted(rows, key=lambda row: row.environment_id is not None):
        if applies(row, target.kind, is_fork=is_fork) and _is_taken(row, target.project):
            (own[row.service_id] if row.service_id else shared[row.level]).append(_open(platform, row))
    return {id_: merge({**shared, "service": variables}) for id_, variables in own.items()}


def _check(effective: Mapping[str, EffectiveVariable]) -> None:
    files: dict[str, str] = {}
    for name, variable in effective.items():
        if not variable.mount_path:
            check_size(name, variable.value)
        elif other := files.get(variable.mount_path):
            raise InvalidInput(f"{other} and {name} are both mounted at {variable.mount_path}.", field="variables")
        else:
            files[variable.mount_path] = name


def _reaches(target: Target, service_ids: set[str]) -> ColumnElement[bool]:
    preview = and_(
        Variable.level == "preview",
        or_(Variable.environment_id == target.environment.id, Variable.project_id == target.project.id),
    )
    return or_(
        Variable.level == "global",
        and_(Variable.level == "project", Variable.project_id == target.project.id),
        and_(Variable.level == "service", Variable.service_id.in_(service_ids)),
        *([preview] if target.kind is EnvironmentKind.PREVIEW else []),
    )


def _is_taken(row: Variable, project: Project) -> bool:
    """Global secrets reach a project only when it opts in."""
    return row.level != "global" or not row.is_secret or project.takes_global_secrets


def _open(platform: Platform, row: Variable) -> EffectiveVariable:
    value = platform.secrets.open_text(row.value, context=variable_context(row))
    return EffectiveVariable(row.name, value, row.is_secret, origin=row.level, mount_path=row.mount_path)


def _values(variables: Mapping[str, EffectiveVariable]) -> dict[str, Value]:
    return {name: Value(variable.value, variable.is_secret) for name, variable in variables.items()}


async def _list_services(work: Work, project: Project) -> dict[str, Service]:
    query = select(Service).where(Service.project_id == project.id, Service.deleted_at.is_(None))
    return {service.id: service for service in await work.session.scalars(query)}


async def _collect_facts(
    platform: Platform,
    work: Work,
    target: Target,
    *,
    texts: Mapping[str, Mapping[str, Value]],
    services: Mapping[str, Service],
) -> dict[str, dict[str, str]]:
    """The facts of every service that any variable refers to."""
    named = {
        reference.service
        for values in texts.values()
        for name, value in values.items()
        if "${{" in value.text
        for reference in _quietly_found(value.text, place=name)
        if reference.fact and reference.service
    }
    by_name = {service.name: service for service in services.values()}
    return {
        name: await _facts_of(platform, work, target, service=by_name[name]) for name in sorted(named & by_name.keys())
    }


def _quietly_found(text: str, *, place: str) -> Iterable[Reference]:
    """What a value refers to; a wrong one is told when it is resolved, if it is needed at all."""
    try:
        return find_references(text, place=place)
    except InvalidInput:
        return ()


async def _facts_of(platform: Platform, work: Work, target: Target, *, service: Service) -> dict[str, str]:
    if service.type != ServiceType.WEB:
        return {"host": service.name, **({"port": str(service.port)} if service.port else {})}
    target = replace(target, environment=await find_home(work, service, target.environment))
    route = await _find_route(work, target, service)
    if route is None:
        workload = await lock_workload(work, project=target.project, service=service, environment=target.environment)
        await ensure_generated_route(
            platform,
            work,
            project=target.project,
            service=service,
            environment=target.environment,
            workload=workload,
        )
        await work.session.flush()
        route = await _find_route(work, target, service)
    assert route is not None
    host = internal_host(service.name)
    url = route_url(platform, host=route.host, path_prefix=route.path_prefix, certificate=route.certificate)
    return {"url": url, "internal_url": f"http://{host}", "host": host, "port": _INTERNAL_PORT}


async def _find_route(work: Work, target: Target, service: Service) -> Route | None:
    """The address people use: a domain of its own before the generated one, the oldest first."""
    query = (
        select(Route)
        .join(Workload, Workload.id == Route.workload_id)
        .where(Workload.service_id == service.id, Workload.environment_id == target.environment.id)
        .order_by(Route.kind, Route.created_at, Route.id)
        .limit(1)
    )
    return (await work.session.scalars(query)).first()


def _get_fact(facts: Mapping[str, Mapping[str, str]], reference: Reference, target: Target) -> str:
    own = {
        "project.name": target.project.name,
        "environment.name": target.environment.name,
        "deployment.commit": target.commit,
    }
    if not reference.service:
        return own[reference.fact]
    if reference.service not in facts:
        raise InvalidInput(f"the project has no service {reference.service!r}.", hint="Create it, or correct the name.")
    if reference.fact not in facts[reference.service]:
        raise InvalidInput(
            f"the service {reference.service!r} has no {reference.fact}.",
            hint="Give it a port with `towline services update --port`." if reference.fact == "port" else "",
        )
    return facts[reference.service][reference.fact]
