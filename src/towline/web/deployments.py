"""HTTP: deployments, by service and by id."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import select
from starlette.responses import Response, StreamingResponse

from towline.actions.deploying import Wanted, deploy, get_place, get_place_of, get_release_number, roll_back
from towline.actions.deployments.requests import cancel_deployment
from towline.actions.overview import DeploymentFilter, DeploymentOverview, get_overview, list_deployments
from towline.actions.services import get_service
from towline.contract.deployments import (
    Deployment,
    DeploymentError,
    DeploymentQuery,
    DeploymentRollback,
    DeploymentStep,
    DeploymentTrigger,
    DeployRequest,
)
from towline.contract.routes.deployments import BUNDLE_MEDIA_TYPE
from towline.errors import InvalidInput, NotFound
from towline.models import deployments as rows
from towline.models.services import Service
from towline.web.answering import json_response
from towline.web.cursors import decode_cursor, encode_cursor
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("services.deploy")
async def deploy_service(call: Call, body: DeployRequest) -> Deployment:
    """Deploy the service in the path."""
    return await _deploy(call, call.service, body)


@router.operation("deployments.trigger")
async def trigger(call: Call, body: DeploymentTrigger) -> Deployment:
    """Deploy a service named in the body."""
    project = await call.get_project(body.project)
    return await _deploy(call, await get_service(call.session, project.id, body.service), body)


@router.operation("deployments.list")
async def list_(call: Call, query: DeploymentQuery) -> Response:
    """Deployments the caller may see, newest first."""
    wanted = await _filter(call, query)
    found = await list_deployments(
        call.platform, call.work, wanted, limit=query.limit + 1, after=_position(query.cursor)
    )
    shown = found[: query.limit]
    last = shown[-1].deployment if len(found) > query.limit else None
    return json_response(
        {
            "items": [to_json(overview) for overview in shown],
            "next_cursor": None if last is None else encode_cursor(last.created_at.isoformat(), last.id),
        }
    )


@router.operation("deployments.getStatus")
async def get_status(call: Call) -> Deployment:
    """One deployment."""
    return await show(call, call.deployment.id)


@router.operation("deployments.cancel")
async def cancel(call: Call) -> Deployment:
    """Cancel: a waiting deployment ends at once, a running one within seconds."""
    locked = select(rows.Deployment).where(rows.Deployment.id == call.deployment.id).with_for_update()
    deployment = (await call.session.scalars(locked, execution_options={"populate_existing": True})).one()
    await cancel_deployment(call.platform, call.work, deployment)
    return await show(call, deployment.id)


@router.operation("deployments.rollback")
async def rollback(call: Call, body: DeploymentRollback) -> Deployment:
    """Roll back to the release of a deployment, or to one of a service by number."""
    if body.deployment is not None:
        deployment = await _get_deployment(call, body.deployment)
        place = await get_place_of(call.work, call.project, deployment)
        number: int | None = await get_release_number(call.work, deployment)
    else:
        project = await call.get_project(body.project or "")
        service = await get_service(call.session, project.id, body.service or "")
        place = await get_place(call.work, project=project, service=service, environment=body.environment)
        number = body.release
    queued = await roll_back(call.platform, call.work, place, release_number=number, requested_by=call.caller.user_id)
    call.note(queued.id, service=place.service.id, environment=place.environment.name, release=number)
    return await show(call, queued.id)


@router.operation("bundles.download", holds_transaction=False)
async def download_bundle(call: Call) -> Response:
    """The source that was deployed."""
    deployment = call.deployment
    if not deployment.bundle_digest or not await call.platform.storage.has_bundle(deployment.bundle_digest):
        raise NotFound(
            f"The source of deployment {deployment.number} is not kept.", hint="Deploy it again from its source."
        )
    name = f"{call.project.name}-{deployment.number}-{deployment.bundle_digest[7:19]}.tar.zst"
    chunks = call.platform.storage.download_deployment_bundle(deployment.bundle_digest)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chunks, media_type=BUNDLE_MEDIA_TYPE, headers=headers)


async def show(call: Call, deployment_id: str) -> Deployment:
    """A deployment as the contract shows it, with what this request changed."""
    await call.session.flush()
    overview = await get_overview(call.platform, call.work, deployment_id)
    return Deployment.model_validate(to_json(overview))


def to_json(overview: DeploymentOverview) -> dict[str, Any]:
    """A deployment in the shape of the contract's Deployment, as plain values."""
    row = overview.deployment
    return {
        "id": row.id,
        "number": row.number,
        "project_id": row.project_id,
        "project": overview.project,
        "service_id": row.service_id,
        "service": overview.service,
        "environment": overview.environment,
        "status": row.status,
        "step": row.step,
        "trigger": row.trigger,
        "revision": row.commit_sha,
        "message": row.commit_message.partition("\n")[0],
        "ref": row.ref or row.source_config.get("image") or row.source_config.get("branch") or "",
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "queue_reason": overview.queue_reason,
        "error": _error(row.error),
        "steps": [_known(DeploymentStep, step) for step in row.steps],
        "release": overview.release_number,
        "urls": overview.urls,
        "image": row.image,
        "is_cached": row.is_cached,
        "no_cache": row.no_cache,
        "requested_by": overview.requested_by,
        "group": row.group_id,
        "attempt": row.attempt,
        "rollback_of": overview.rollback_number,
    }


async def _deploy(call: Call, service: Service, body: DeployRequest) -> Deployment:
    place = await get_place(call.work, project=call.project, service=service, environment=body.environment)
    wanted = Wanted(
        ref=body.ref or "",
        upload=body.upload or "",
        image=body.image or "",
        dockerfile=body.dockerfile or "",
        no_cache=body.no_cache,
    )
    queued = await deploy(call.platform, call.work, place, wanted=wanted, caller=call.caller)
    call.note(queued.id, service=service.id, environment=body.environment, ref=queued.ref)
    return await show(call, queued.id)


async def _filter(call: Call, query: DeploymentQuery) -> DeploymentFilter:
    condition = call.permitted_projects()
    is_everything = call.caller.is_administrator and call.caller.project_id is None
    project_id = service_id = ""
    if query.project is not None:
        project_id = (await call.get_project(query.project)).id
    if query.service is not None:
        service_id = await _get_service_id(call, query.service, project_id)
    return DeploymentFilter(
        projects=condition,
        is_everything=is_everything,
        project_id=project_id,
        service_id=service_id,
        environment=query.environment or "",
        status=query.status,
    )


async def _get_service_id(call: Call, reference: str, project_id: str) -> str:
    if project_id:
        return (await get_service(call.session, project_id, reference)).id
    if "_" not in reference:
        raise InvalidInput("A service's name needs its project as well.", field="project")
    found = (await call.session.scalars(select(Service).where(Service.id == reference))).one_or_none()
    try:
        await call.get_project("" if found is None else found.project_id)
    except NotFound as error:
        raise NotFound(f"There is no service {reference!r}, or you may not see it.") from error
    return reference


async def _get_deployment(call: Call, deployment_id: str) -> rows.Deployment:
    query = select(rows.Deployment).where(rows.Deployment.id == deployment_id)
    deployment = (await call.session.scalars(query)).one_or_none()
    try:
        await call.get_project("" if deployment is None else deployment.project_id)
    except NotFound as error:
        raise NotFound(f"There is no deployment {deployment_id!r}, or you may not see it.") from error
    assert deployment is not None
    return deployment


def _position(cursor: str | None) -> tuple[datetime, str] | None:
    key = decode_cursor(cursor, str, str)
    if key is None:
        return None
    try:
        moment = datetime.fromisoformat(key[0])
    except ValueError as error:
        raise InvalidInput("cursor is not one that this list gave.", field="cursor") from error
    if moment.tzinfo is None:
        raise InvalidInput("cursor is not one that this list gave.", field="cursor")
    return moment, key[1]


def _error(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if stored is None else _known(DeploymentError, stored)


def _known(model: type[DeploymentStep] | type[DeploymentError], stored: dict[str, Any]) -> dict[str, Any]:
    names = _names(model)
    return {name: value for name, value in stored.items() if name in names}


@cache
def _names(model: type[DeploymentStep] | type[DeploymentError]) -> frozenset[str]:
    return frozenset(model.model_fields)
