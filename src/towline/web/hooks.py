"""HTTP: hooks, what they were told, and the door that webhooks come through."""

from typing import Any, Final, cast

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from towline.actions.access import Permission
from towline.actions.hooks.administration import (
    NewHook,
    create_hook,
    delete_hook,
    get_hook,
    hook_url,
    list_deliveries,
    list_hooks,
    list_registrations,
    list_report_problems,
    rotate_secret,
)
from towline.actions.hooks.receiving import receive
from towline.actions.hooks.working import replay
from towline.actions.platform import Platform
from towline.actions.service_calls import call_service
from towline.contract.base import PageQuery
from towline.contract.hooks import (
    Hook,
    HookCreate,
    HookDelivery,
    HookDeliveryList,
    HookList,
    HookRule,
    HookSource,
    HookUpdate,
)
from towline.contract.hooks import NewHook as NewHookModel
from towline.errors import TowlineError
from towline.models.connections import HostReport
from towline.models.hooks import Hook as HookRow
from towline.models.hooks import HookDelivery as DeliveryRow
from towline.web.bodies import read_at_most
from towline.web.cursors import decode_cursor, decode_time, encode_cursor
from towline.web.deps import Call, get_platform
from towline.web.operations import OperationRouter
from towline.web.problems import problem_response, unexpected_response

MAX_WEBHOOK_BYTES: Final = 5 * 1024 * 1024
_REGISTRATIONS: Final = {"open": "pending", "settled": "registered", "failed": "failed"}
operations = OperationRouter()


async def take_webhook(request: Request) -> Response:
    """Keep a webhook and answer at once; what it asks for happens afterwards."""
    platform = get_platform(request)
    try:
        body = await read_at_most(request, MAX_WEBHOOK_BYTES, what="webhook")
        with platform.receiving.first():
            received = await receive(
                platform,
                source_type=str(request.path_params["source"]),
                hook_id=str(request.path_params["hook"]),
                headers=dict(request.headers),
                body=body,
            )
    except TowlineError as error:
        return problem_response(error)
    except ClientDisconnect:
        return Response(status_code=400)
    except Exception as error:
        return unexpected_response(request, error)
    # Once it is answered: nobody who sends it waits for the ring.
    ring = BackgroundTask(platform.bell.ring, "hooks") if received.is_new else None
    return JSONResponse({"delivery": received.delivery_id, "is_new": received.is_new}, 202, background=ring)


async def take_call(request: Request) -> Response:
    """Deploy a service that a signed call asks for."""
    try:
        body = await read_at_most(request, MAX_WEBHOOK_BYTES, what="webhook")
        service_id = str(request.path_params["service"])
        called = await call_service(get_platform(request), service_id, headers=dict(request.headers), body=body)
    except TowlineError as error:
        return problem_response(error)
    except ClientDisconnect:
        return Response(status_code=400)
    except Exception as error:
        return unexpected_response(request, error)
    return JSONResponse({"deployment": called.deployment_id or None, "is_new": called.is_new}, 202)


router = APIRouter()
router.routes.append(Route("/hooks/service/{service}", take_call, methods=["POST"], name="hooks.call"))
router.routes.append(Route("/hooks/{source}/{hook}", take_webhook, methods=["POST"], name="hooks.take"))


@operations.operation("hooks.list")
async def list_(call: Call) -> HookList:
    """Hooks of a project."""
    rows = await list_hooks(call.session, call.project.id)
    found = await list_registrations(call.session, rows)
    problems = await list_report_problems(call.session, call.project.id)
    items = [Hook(**_facts(call.platform, row, found.get(row.id), problems.get(row.repository, ""))) for row in rows]
    return HookList(items=items)


@operations.operation("hooks.create")
async def create(call: Call, body: HookCreate) -> NewHookModel:
    """Connect a repository."""
    await _also_deploy(call)
    made = await create_hook(
        call.platform,
        call.work,
        call.project,
        source_type=body.source,
        address=body.repository,
        rules=_rules(body.rules),
        project_file=body.project_file or "",
        registers=body.registers,
    )
    call.note(made.hook.id, repository=made.hook.repository, project_file=made.hook.project_file)
    return await _with_secret(call, made)


@operations.operation("hooks.update")
async def update(call: Call, body: HookUpdate) -> Hook:
    """Change the rules, or which file pushes apply."""
    await _also_deploy(call)
    hook = await get_hook(call.session, call.project.id, call.path["hook"])
    if "rules" in body.model_fields_set:
        hook.rules = [*_rules(body.rules)]
    if "project_file" in body.model_fields_set:
        hook.project_file = body.project_file or ""
    call.note(hook.id, repository=hook.repository, project_file=hook.project_file)
    return Hook(**await _facts_of(call, hook))


@operations.operation("hooks.rotate")
async def rotate(call: Call) -> NewHookModel:
    """A new secret."""
    await _also_deploy(call)
    hook = await get_hook(call.session, call.project.id, call.path["hook"])
    made = await rotate_secret(call.platform, call.work, hook)
    call.note(made.hook.id, repository=made.hook.repository)
    return await _with_secret(call, made)


@operations.operation("hooks.delete")
async def delete(call: Call) -> None:
    """Disconnect a repository."""
    hook = await get_hook(call.session, call.project.id, call.path["hook"])
    call.note(hook.id, repository=hook.repository)
    await delete_hook(call.platform, call.work, hook)


@operations.operation("hooks.listDeliveries")
async def deliveries(call: Call, query: PageQuery) -> HookDeliveryList:
    """What a hook was told."""
    hook = await get_hook(call.session, call.project.id, call.path["hook"])
    key = decode_cursor(query.cursor, str, str)
    after = None if key is None else (decode_time(key[0]), str(key[1]))
    rows = await list_deliveries(call.session, hook, limit=query.limit + 1, after=after)
    shown = rows[: query.limit]
    last = shown[-1] if len(rows) > query.limit else None
    return HookDeliveryList(
        items=[_delivery(row) for row in shown],
        next_cursor=None if last is None else encode_cursor(last.created_at, last.id),
    )


@operations.operation("hooks.replay")
async def replay_(call: Call) -> HookDelivery:
    """Once more."""
    hook = await get_hook(call.session, call.project.id, call.path["hook"])
    again = await replay(call.platform, call.work, hook, call.path["delivery"])
    call.note(again.id, replay_of=again.replay_of)
    return _delivery(again)


async def _also_deploy(call: Call) -> None:
    """Who holds the secret of a hook, or says what pushes do, deploys: that needs the permission as well."""
    await call.get_project(call.project.id, permission=Permission.DEPLOY)


def _rules(rules: list[HookRule]) -> list[dict[str, str]]:
    return [rule.model_dump(exclude_none=True) for rule in rules]


async def _with_secret(call: Call, made: NewHook) -> NewHookModel:
    return NewHookModel(**await _facts_of(call, made.hook), secret=made.secret)


async def _facts_of(call: Call, hook: HookRow) -> dict[str, Any]:
    registration = (await list_registrations(call.session, [hook])).get(hook.id)
    problems = await list_report_problems(call.session, call.project.id)
    return _facts(call.platform, hook, registration, problems.get(hook.repository, ""))


def _facts(platform: Platform, hook: HookRow, registration: HostReport | None, problem: str) -> dict[str, Any]:
    return {
        "id": hook.id,
        "source": cast("HookSource", hook.source_type),
        "repository": hook.repository,
        "url": hook_url(platform, hook),
        "registration": "by_hand" if registration is None else _REGISTRATIONS[registration.state],
        "registration_error": "" if registration is None else registration.error,
        "report_problem": problem,
        "project_file": hook.project_file or None,
        "rules": [HookRule.model_validate(rule) for rule in hook.rules],
        "created_at": hook.created_at,
    }


def _delivery(row: DeliveryRow) -> HookDelivery:
    return HookDelivery(
        id=row.id,
        kind=row.kind,
        ref=row.event.get("ref", ""),
        revision=row.event.get("revision", ""),
        sender=row.event.get("sender", ""),
        status=cast("Any", row.status),
        reason=row.reason,
        deployments=list(row.deployment_ids),
        group=row.group_id,
        replay_of=row.replay_of,
        created_at=row.created_at,
    )
