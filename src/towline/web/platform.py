"""HTTP: the installation, whether this process is alive and ready, and the API's own description."""

import asyncio
from collections import Counter
from dataclasses import asdict

import orjson
from fastapi import Request
from starlette.responses import Response
from starlette.routing import Route

from towline import __version__
from towline.actions.base_domain import Change, foresee, set_base_domain
from towline.actions.credentials import check_recent_proof
from towline.actions.domain_check import check_domain
from towline.actions.former_hosts import list_former_hosts, retire_former_host
from towline.actions.granting import check_unlimited
from towline.actions.identities.administration import list_providers
from towline.actions.installation import check_parts, count_open, get_engine_status, platform_url
from towline.actions.platform_health import list_parts, list_queue, list_troubles, measure_room
from towline.contract.base import API_PREFIX
from towline.contract.operations import JSON_MEDIA_TYPE
from towline.contract.platform import (
    DockerStatus,
    DomainChange,
    DomainCheck,
    DomainQuery,
    FormerHost,
    FormerHostList,
    Platform,
    PlatformHealth,
    PlatformPart,
    PlatformTrouble,
    PlatformUpdate,
    PlatformUpdated,
    QueuedDeployment,
)
from towline.web.deps import Call, get_platform
from towline.web.openapi import build_openapi
from towline.web.operations import OperationRouter

router = OperationRouter()
_HEADERS = {"Cache-Control": "no-store"}


@router.operation("platform.get")
async def get(call: Call) -> Platform:
    """What this installation is, how it is reached, and how busy it is."""
    settings = call.platform.settings
    engine = await get_engine_status(call.platform)
    counts = await count_open(call.work)
    return Platform(
        version=__version__,
        installation_id=settings.installation_id,
        base_domain=settings.base_domain,
        platform_host=settings.effective_platform_host,
        url=platform_url(call.platform),
        http_port=settings.http_port,
        https_port=settings.https_port,
        has_certificates=bool(settings.acme_email),
        can_change=settings.supervisor > 0,
        upload_max_bytes=settings.upload_max_bytes,
        docker=DockerStatus(
            is_available=not engine.problem,
            version=engine.version,
            builder=settings.docker_cli or call.platform.builder.kind,
            problem=engine.problem,
        ),
        queued_deployments=counts["queued"],
        running_deployments=counts["building"] + counts["deploying"],
    )


@router.operation("platform.checkDomain", holds_transaction=False)
async def check(call: Call, query: DomainQuery) -> DomainCheck:
    """Whether generated hosts below a domain lead to this server, and what setting it would change."""
    platform = call.platform
    domain = query.domain or platform.settings.base_domain
    found = await check_domain(platform, domain)
    change = None
    if domain != platform.settings.base_domain:
        async with platform.database.reading() as work:
            change = _shown(await foresee(platform, work, domain))
    return DomainCheck(
        domain=found.domain,
        host=found.host,
        addresses=list(found.addresses),
        expected=list(found.expected),
        problem=found.problem,
        hint=found.hint,
        change=change,
    )


@router.operation("platform.update", holds_transaction=False)
async def update(call: Call, body: PlatformUpdate) -> PlatformUpdated:
    """Set the base domain. Whose domain it is sees what people send to the dashboard, so it needs a proof."""
    _check_may_move(call)
    address, is_restarting = await set_base_domain(
        call.platform, call.caller, body.base_domain, even_if_unreachable=body.even_if_unreachable
    )
    return PlatformUpdated(**asdict(address), is_restarting=is_restarting)


@router.operation("platform.listFormerHosts")
async def list_former(call: Call) -> FormerHostList:
    """Hosts that Towline left and that still lead to it."""
    rows = await list_providers(call.session)
    known = Counter(call.platform.former_hosts.find_host_of(row.created_at) for row in rows)
    return FormerHostList(
        items=[
            FormerHost(host=one.host, left_at=one.left_at, last_used_at=one.last_used_at, providers=known[one.host])
            for one in list_former_hosts(call.platform)
        ]
    )


@router.operation("platform.retireFormerHost", holds_transaction=False)
async def retire_former(call: Call) -> None:
    """Give a former host free. Whose app gets it next sees what is still sent there, so it needs a proof."""
    _check_may_move(call)
    await retire_former_host(call.platform, call.caller, call.path["host"])


@router.operation("platform.getHealth", holds_transaction=False)
async def get_health(call: Call) -> PlatformHealth:
    """How the platform itself is."""
    platform = call.platform
    parts, queue, troubles = await asyncio.gather(list_parts(platform), list_queue(platform), list_troubles(platform))
    return PlatformHealth(
        parts=[PlatformPart(**asdict(part), is_working=not part.problem) for part in parts],
        troubles=[PlatformTrouble(kind=one.kind, message=one.message, since=one.since) for one in troubles],
        queue=[
            QueuedDeployment(
                id=row.id,
                project=project,
                service=service,
                number=row.number,
                status=row.status,
                reason=row.queue_reason,
                created_at=row.created_at,
            )
            for row, project, service in queue
        ],
        **asdict(measure_room(platform)),
    )


def _check_may_move(call: Call) -> None:
    check_unlimited(call.caller)
    if call.caller.session_id:
        check_recent_proof(call.credential)


def _shown(change: Change) -> DomainChange:
    counts = {"hosts": change.hosts, "passkeys": change.passkeys}
    counts |= {"webhooks": change.webhooks, "providers": change.providers}
    return DomainChange(platform_host=change.address.platform_host, url=change.address.url, **counts)


async def get_alive(_: Request) -> Response:
    """The process is up and answers; nothing else is looked at."""
    return _json({"status": "alive", "version": __version__}, 200)


async def get_ready(request: Request) -> Response:
    """Every part that requests need, each with its problem; 503 when one does not work.

    A page at another address may read it: that is how it knows that Towline has moved there. The host tells a former
    address of it from the present one.
    """
    platform = get_platform(request)
    problems = await check_parts(platform)
    is_ready = not any(problems.values())
    parts = {name: {"is_ready": not problem, "problem": problem} for name, problem in problems.items()}
    told = {"status": "ready" if is_ready else "not ready", "host": platform.settings.effective_platform_host}
    response = _json({**told, "parts": parts}, 200 if is_ready else 503)
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


async def get_description(request: Request) -> Response:
    """The OpenAPI document; made at the first call, in a thread since that takes a second, and kept."""
    state = request.app.state
    if not hasattr(state, "description"):
        state.description = asyncio.create_task(asyncio.to_thread(_describe), name="description")
    content: bytes = await asyncio.shield(state.description)
    return Response(content, media_type=JSON_MEDIA_TYPE, headers={"Cache-Control": "public, max-age=300"})


def _describe() -> bytes:
    return orjson.dumps(build_openapi())


def _json(content: object, status: int) -> Response:
    return Response(orjson.dumps(content), status, media_type=JSON_MEDIA_TYPE, headers=_HEADERS)


router.routes.append(Route("/healthz", get_alive, methods=["GET"], name="healthz"))
router.routes.append(Route("/readyz", get_ready, methods=["GET"], name="readyz"))
router.routes.append(Route(f"{API_PREFIX}/openapi.json", get_description, methods=["GET"], name="openapi"))
