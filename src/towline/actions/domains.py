"""Domains: hosts and paths of people's own that lead to a service."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.deletion import publish_soon
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.routes import certificate_for, internal_host, lock_host
from towline.actions.workloads import lock_workload
from towline.errors import Conflict, InvalidInput, NotFound, TowlineError
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service, Workload
from towline.names import new_id
from towline.values import EnvironmentKind, ServiceType

MOST_ROUTES: Final = 100
"""How many routes a service may have in one environment."""

_PROBLEM_SECONDS: Final = 3.0
_ASKED_FOR: Final = frozenset({"acme", "wildcard"})


@dataclass(frozen=True, slots=True)
class WantedRoute:
    """A custom domain as it is asked for."""

    host: str
    path_prefix: str
    strip_prefix: bool
    has_certificate: bool
    redirect_to_https: bool


async def add_route(
    platform: Platform,
    work: Work,
    *,
    project: Project,
    service: Service,
    environment: Environment,
    wanted: WantedRoute,
) -> Route:
    """Lead a host and path to a service, at once; Conflict when it is taken, InvalidInput where it cannot be led."""
    if service.type != ServiceType.WEB:
        raise Conflict(f"The service {service.name!r} is no web service, so nothing can be routed to it.")
    _check_host(platform, wanted.host)
    workload = await lock_workload(work, project=project, service=service, environment=environment)
    await _check_is_free(work, project, workload, wanted)
    certificate = certificate_for(platform, wanted.host) if wanted.has_certificate else "none"
    route = Route(
        id=new_id("rou"),
        created_at=utc_now(),
        workload_id=workload.id,
        host=wanted.host,
        path_prefix=wanted.path_prefix,
        kind="custom",
        certificate=certificate,
        redirect_to_https=wanted.redirect_to_https and certificate in _ASKED_FOR,
        middlewares={"strip_prefix": True} if wanted.strip_prefix and wanted.path_prefix != "/" else {},
    )
    work.session.add(route)
    await work.session.flush()
    _tell(platform, work, service, environment.id, host=route.host)
    return route


async def delete_route(platform: Platform, work: Work, service: Service, route_id: str) -> Route:
    """Take a custom domain away; Conflict for the generated host."""
    query = select(Route, Workload.environment_id).join(Workload, Workload.id == Route.workload_id)
    row = (await work.session.execute(query.where(Workload.service_id == service.id, Route.id == route_id))).first()
    if row is None:
        raise NotFound(f"The service has no route {route_id!r}.")
    route, environment_id = row
    if route.kind != "custom":
        raise Conflict(f"The host {route.host} is generated and stays as long as its service.")
    await work.session.delete(route)
    _tell(platform, work, service, environment_id, host=route.host)
    return route


async def list_routes(session: AsyncSession, service: Service, environment: Environment) -> Sequence[Route]:
    """Routes of a service in an environment, generated ones first."""
    query = (
        select(Route)
        .join(Workload, Workload.id == Route.workload_id)
        .where(Workload.service_id == service.id, Workload.environment_id == environment.id)
        .order_by(Route.kind.desc(), Route.host, Route.path_prefix)
    )
    return (await session.scalars(query)).all()


async def list_certificate_problems(
    platform: Platform, routes: Sequence[Route], environment: Environment | None = None
) -> list[str]:
    """Why each route has no certificate, in one sentence; empty where it has one or none is wanted.

    Of routes of an environment that is given it is told, too, why a preview's has none of its own.
    """
    return list(await asyncio.gather(*(_find_problem(platform, route, environment) for route in routes)))


async def _find_problem(platform: Platform, route: Route, environment: Environment | None) -> str:
    is_of_preview = environment is not None and environment.kind == EnvironmentKind.PREVIEW
    if is_of_preview and route.certificate == "default":
        return _find_quota_problem(platform, route)
    if route.certificate not in _ASKED_FOR:
        return ""
    try:
        async with asyncio.timeout(_PROBLEM_SECONDS):
            return await platform.router.get_certificate_problem(route.host)
    except TimeoutError:
        return "The router did not say in time whether there is a certificate."
    except TowlineError as error:
        return error.message


def _find_quota_problem(platform: Platform, route: Route) -> str:
    if certificate_for(platform, route.host) != "acme":
        return ""
    most = platform.settings.preview_certificates_per_week
    return (
        f"Previews have had the {most} certificates of this week, so {route.host} is served over HTTP until the next "
        "deployment of it after that; a wildcard certificate has no such limit."
    )


def _check_host(platform: Platform, host: str) -> None:
    if host == platform.settings.effective_platform_host:
        raise InvalidInput(f"{host} is the host of Towline itself.", field="host")
    if platform.former_hosts.has(host):
        hint = f"An administrator can give it free: `towline domains retire {host}`."
        raise InvalidInput(f"{host} was the host of Towline itself and leads there still.", hint=hint, field="host")
    if host in platform.settings.own_hosts or host.endswith(internal_host("")):
        raise InvalidInput(f"{host} is a name that Towline needs itself.", field="host")


async def _check_is_free(work: Work, project: Project, workload: Workload, wanted: WantedRoute) -> None:
    """A host belongs to one project: no other may take requests below a path of it."""
    await lock_host(work, wanted.host)
    query = (
        select(Route.path_prefix, Workload.project_id)
        .join(Workload, Workload.id == Route.workload_id)
        .where(Route.host == wanted.host)
    )
    for path_prefix, project_id in await work.session.execute(query):
        if project_id != project.id or path_prefix == wanted.path_prefix:
            raise Conflict(
                f"{wanted.host}{wanted.path_prefix} is already in use.", hint="Remove it there first, or take another."
            )
    mine = select(func.count()).select_from(Route).where(Route.workload_id == workload.id)
    if (await work.session.scalar(mine) or 0) >= MOST_ROUTES:
        raise Conflict(f"A service can have {MOST_ROUTES} routes in one environment.")


def _tell(platform: Platform, work: Work, service: Service, environment_id: str, *, host: str) -> None:
    publish_soon(platform, work, {environment_id})
    emit(
        platform,
        work,
        "route.changed",
        project_id=service.project_id,
        service_id=service.id,
        data={"message": host},
    )
