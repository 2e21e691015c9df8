"""Routes: the one publisher, which computes an environment's whole configuration from the rows under a lock."""

import ipaddress
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, delete, select, text

from towline.actions.former_hosts import is_own_host
from towline.actions.generated_hosts import list_host_candidates
from towline.actions.platform import Platform
from towline.actions.preview_certificates import take_certificate
from towline.actions.sharing import list_guests
from towline.actions.sleep import LIVE, Sleep
from towline.errors import Conflict, TowlineError
from towline.infra.database import Work
from towline.models.groups import Candidate
from towline.models.projects import Environment, Project
from towline.models.services import Instance, Route, Service, Workload
from towline.names import has_authority, new_id
from towline.values import Absence, EnvironmentKind, Middlewares, ServiceType
from towline.values import Route as RouteValue

_CONFIRM = timedelta(seconds=10)
_log = logging.getLogger(__name__)


async def publish_environment(platform: Platform, environment_id: str, *, confirm: bool = True) -> None:
    """Bring the router to what the rows say of an environment; with `confirm`, return once it is so.

    Raises RouterUnavailable when the router does not confirm in time; the configuration is written all the same.
    """
    platform.unpublished.add(environment_id)
    async with platform.database.transaction() as work:
        await work.session.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:owner, 7))"), {"owner": environment_id}
        )
        routes = await list_wanted_routes(platform, work, environment_id)
        await platform.router.publish(environment_id, routes)
    platform.unpublished.discard(environment_id)
    if confirm:
        await platform.router.wait_until_confirmed(environment_id, routes, timeout=_CONFIRM)


async def publish_again(platform: Platform) -> None:
    """Write the routes that could not be written before; what fails is left to the next call."""
    for environment_id in sorted(platform.unpublished):
        try:
            await publish_environment(platform, environment_id, confirm=False)
        except TowlineError as error:
            _log.warning("The routes of %s are not published yet: %s", environment_id, error)


async def doubt_all_routes(platform: Platform) -> None:
    """Have the routes of every environment written again: what wrote them last may have died over it."""
    async with platform.database.transaction() as work:
        environments = await work.session.scalars(select(Environment.id).where(Environment.network != ""))
    platform.unpublished.update(environments, await platform.router.list_owners())


async def list_wanted_routes(platform: Platform, work: Work, environment_id: str) -> list[RouteValue]:
    """What the rows say: every route of the environment's workloads with the servers that take requests now."""
    environment = await work.session.get(Environment, environment_id)
    if environment is None or environment.deleted_at is not None:
        return []
    servers = await _list_servers(work, environment_id)
    query = (
        select(Route, Workload.wanted)
        .join(Workload, Workload.id == Route.workload_id)
        .where(Workload.environment_id == environment_id)
        .order_by(Route.id)
    )
    routes = [
        to_route_value(
            route,
            servers=servers.get(route.workload_id, ()),
            absence=_absence(environment, wanted),
            is_guarded=environment.protection != "none",
        )
        for route, wanted in await work.session.execute(query)
    ]
    internal = await _list_internal_routes(platform, work, environment, servers)
    return routes + internal + await _list_candidate_routes(platform, work, environment)


async def ensure_generated_route(
    platform: Platform, work: Work, *, project: Project, service: Service, environment: Environment, workload: Workload
) -> None:
    """Give a web workload its generated host, unique over the instance, unless it has one."""
    if service.type != ServiceType.WEB:
        return
    query = select(Route).where(Route.workload_id == workload.id, Route.kind == "generated")
    if (route := (await work.session.scalars(query)).first()) is not None:
        if route.certificate == "default" and environment.kind == EnvironmentKind.PREVIEW:
            route.certificate = await _certificate_in(platform, work, environment, route.host)
        return
    host = await _free_host(platform, work, project=project, service=service, environment=environment)
    certificate = await _certificate_in(platform, work, environment, host)
    work.session.add(
        Route(id=new_id("rou"), workload_id=workload.id, host=host, kind="generated", certificate=certificate)
    )


async def rename_generated_routes(platform: Platform, work: Work, condition: ColumnElement[bool]) -> set[str]:
    """Give the workloads that fit the condition new generated hosts, after a change of names; their environments."""
    query = (
        select(Project, Service, Environment, Workload)
        .join(Workload, Workload.project_id == Project.id)
        .join(Service, Service.id == Workload.service_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .join(Route, and_(Route.workload_id == Workload.id, Route.kind == "generated"))
        .where(condition, Service.deleted_at.is_(None), Environment.deleted_at.is_(None))
    )
    found = (await work.session.execute(query)).all()
    ids = [workload.id for _, _, _, workload in found]
    await work.session.execute(delete(Route).where(Route.workload_id.in_(ids), Route.kind == "generated"))
    for project, service, environment, workload in found:
        await ensure_generated_route(
            platform, work, project=project, service=service, environment=environment, workload=workload
        )
        await work.session.flush()
    return {workload.environment_id for _, _, _, workload in found}


async def _certificate_in(platform: Platform, work: Work, environment: Environment, host: str) -> str:
    """What `certificate_for` says; one of its own for a host of a preview only as far as the week's number goes."""
    certificate = certificate_for(platform, host)
    if certificate != "acme" or environment.kind != EnvironmentKind.PREVIEW:
        return certificate
    most = platform.settings.preview_certificates_per_week
    return "acme" if await take_certificate(work, host, most=most) else "default"


def certificate_for(platform: Platform, host: str) -> str:
    """Where a host's certificate comes from when nobody gave one."""
    settings = platform.settings
    if host.partition(".")[2] in settings.wildcards:
        return "wildcard"
    is_asked_for = has_authority(host, email=settings.acme_email, directory_url=settings.acme_directory_url)
    return "acme" if is_asked_for else "default"


def route_url(platform: Platform, *, host: str, path_prefix: str = "/", certificate: str = "default") -> str:
    """The address a person opens; plain HTTP where only a self-signed certificate could be offered."""
    settings = platform.settings
    scheme, port = (
        ("https", settings.https_port) if certificate in {"acme", "wildcard", "own"} else ("http", settings.http_port)
    )
    suffix = "" if port in {80, 443} else f":{port}"
    return f"{scheme}://{host}{suffix}{'' if path_prefix == '/' else path_prefix}"


def route_key(row_id: str) -> str:
    """What a router calls the route of a row (or the internal one of a workload)."""
    return row_id.replace("_", "-")


def to_route_value(
    route: Route, *, servers: Sequence[str], absence: Absence = "down", is_guarded: bool = False
) -> RouteValue:
    """A row as routers take it."""
    return RouteValue(
        key=route_key(route.id),
        host=route.host,
        servers=tuple(servers),
        path_prefix=route.path_prefix,
        certificate=route.certificate,  # pyright: ignore[reportArgumentType] - only these values are ever stored
        redirect_to_https=route.redirect_to_https,
        middlewares=_middlewares(route.middlewares),
        absence=absence,
        is_guarded=is_guarded,
    )


def internal_host(service_name: str) -> str:
    """The name by which services of the same environment reach a service without losing a request to a rollout."""
    return f"{service_name}.internal"


async def lock_host(work: Work, host: str) -> None:
    """Let nobody else decide until the end of the transaction whose a host is."""
    await work.session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:host, 17))"), {"host": host})


async def _list_servers(work: Work, environment_id: str) -> dict[str, tuple[str, ...]]:
    query = (
        select(Instance)
        .join(Workload, Workload.id == Instance.workload_id)
        .where(Workload.environment_id == environment_id, Instance.is_routed, Instance.address != "")
        .where(Workload.wanted == "running", Instance.port.is_not(None))
        .order_by(Instance.id)
    )
    servers: dict[str, tuple[str, ...]] = {}
    for instance in await work.session.scalars(query):
        address = f"http://{instance.address}:{instance.port}"
        servers[instance.workload_id] = (*servers.get(instance.workload_id, ()), address)
    return servers


async def _list_internal_routes(
    platform: Platform, work: Work, environment: Environment, servers: dict[str, tuple[str, ...]]
) -> list[RouteValue]:
    if not environment.subnet or not platform.settings.internal_address:
        return []
    guests = await list_guests(work, environment.id)
    query = (
        select(Workload.id, Service.id, Service.name)
        .join(Service, Service.id == Workload.service_id)
        .where(Workload.environment_id == environment.id, Service.type == ServiceType.WEB)
        .order_by(Workload.id)
    )
    return [
        RouteValue(
            key=f"internal-{route_key(workload_id)}",
            host=internal_host(name),
            servers=servers.get(workload_id, ()),
            certificate="none",
            internal_from=(environment.subnet, *guests.get(service_id, ())),
        )
        for workload_id, service_id, name in await work.session.execute(query)
    ]


async def _list_candidate_routes(platform: Platform, work: Work, environment: Environment) -> list[RouteValue]:
    """Routes by which candidates of a group reach each other, and only each other, at the names of what serves."""
    query = (
        select(Candidate, Service.name, Service.type)
        .join(Workload, Workload.id == Candidate.workload_id)
        .join(Service, Service.id == Workload.service_id)
        .where(Candidate.environment_id == environment.id)
        .order_by(Candidate.workload_id, Candidate.address)
    )
    rows = (await work.session.execute(query)).all()
    if not rows or not platform.settings.internal_address:
        return []
    hosts = [ipaddress.IPv4Network(row.Candidate.address) for row in rows]
    callers = tuple(str(network) for network in ipaddress.collapse_addresses(hosts))
    servers: dict[tuple[str, str], tuple[str, ...]] = {}
    for candidate, name, kind in rows:
        if kind == ServiceType.WEB and candidate.port is not None:
            key = (candidate.workload_id, name)
            servers[key] = (*servers.get(key, ()), f"http://{candidate.address}:{candidate.port}")
    return [
        RouteValue(
            key=f"candidate-{route_key(workload_id)}",
            host=internal_host(name),
            servers=found,
            certificate="none",
            internal_from=callers,
        )
        for (workload_id, name), found in servers.items()
    ]


def _absence(environment: Environment, wanted: str) -> Absence:
    """Why a workload has no servers, where it has none: somebody stopped it, or it sleeps and will be started."""
    if wanted not in LIVE:
        return "maintenance"
    return "down" if environment.sleep == Sleep.AWAKE else "waking"


def _middlewares(stored: dict[str, Any]) -> Middlewares:
    """Lists become tuples: values are frozen."""
    frozen: dict[str, Any] = {
        name: tuple(cast("list[str]", value)) if isinstance(value, list) else value for name, value in stored.items()
    }
    return Middlewares(**frozen)


async def _free_host(
    platform: Platform, work: Work, *, project: Project, service: Service, environment: Environment
) -> str:
    candidates = await list_host_candidates(platform, work, project=project, service=service, environment=environment)
    for candidate in candidates:
        if is_own_host(platform, candidate):
            continue
        await lock_host(work, candidate)
        if await work.session.scalar(select(Route.id).where(Route.host == candidate)) is None:
            return candidate
    raise Conflict(f"The host {candidates[0]} is taken.", hint="Rename the service or give it a domain of its own.")
