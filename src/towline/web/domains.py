"""HTTP: routes of a service, generated hosts and custom domains."""

from typing import Literal, cast

from towline.actions.domains import WantedRoute, add_route, delete_route, list_certificate_problems, list_routes
from towline.actions.environments import get_environment
from towline.actions.platform import Platform
from towline.actions.routes import route_url
from towline.contract.base import EnvironmentQuery
from towline.contract.domains import CertificateState, Route, RouteCreate, RouteList
from towline.models.services import Route as RouteRow
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("routes.list")
async def list_(call: Call, query: EnvironmentQuery) -> RouteList:
    """Hosts and paths of a service in one environment."""
    environment = await get_environment(call.work, call.project.id, query.environment)
    rows = await list_routes(call.session, call.service, environment)
    problems = await list_certificate_problems(call.platform, rows, environment)
    shown = [
        _shown(call.platform, row, environment=environment.name, problem=problem)
        for row, problem in zip(rows, problems, strict=True)
    ]
    return RouteList(items=shown)


@router.operation("routes.create")
async def create(call: Call, body: RouteCreate) -> Route:
    """Add a custom domain; requests to it are answered at once."""
    environment = await get_environment(call.work, call.project.id, body.environment)
    wanted = WantedRoute(
        host=body.host,
        path_prefix=body.path_prefix,
        strip_prefix=body.strip_prefix,
        has_certificate=body.certificate == "auto",
        redirect_to_https=body.redirect_to_https,
    )
    row = await add_route(
        call.platform,
        call.work,
        project=call.project,
        service=call.service,
        environment=environment,
        wanted=wanted,
    )
    call.note(row.id, host=row.host, path_prefix=row.path_prefix, environment=environment.name)
    return _shown(call.platform, row, environment=environment.name, problem=None)


@router.operation("routes.delete")
async def delete(call: Call) -> None:
    """Remove a custom domain."""
    row = await delete_route(call.platform, call.work, call.service, call.path["route"])
    call.note(row.id, host=row.host, path_prefix=row.path_prefix)


def _shown(platform: Platform, row: RouteRow, *, environment: str, problem: str | None) -> Route:
    url = route_url(platform, host=row.host, path_prefix=row.path_prefix, certificate=row.certificate)
    return Route(
        id=row.id,
        host=row.host,
        path_prefix=row.path_prefix,
        strip_prefix=bool(row.middlewares.get("strip_prefix")),
        environment=environment,
        kind=cast('Literal["generated", "custom"]', row.kind),
        url=url,
        redirect_to_https=row.redirect_to_https,
        certificate=_certificate_state(row, problem),
        certificate_problem=problem or "",
        created_at=row.created_at,
    )


def _certificate_state(row: RouteRow, problem: str | None) -> CertificateState:
    if row.certificate == "own":
        return "valid"
    if row.certificate not in {"acme", "wildcard"}:
        return "none"
    if problem is None:
        return "pending"
    return "failed" if problem else "valid"
