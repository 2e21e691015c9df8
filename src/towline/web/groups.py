"""HTTP: deployments of several services together."""

from typing import Any

from towline.actions.deploying import Wanted
from towline.actions.deployments.waiting import cancel_open_group
from towline.actions.environments import get_environment
from towline.actions.groups.overview import GroupOverview, get_group, get_group_overview, list_groups
from towline.actions.groups.requests import request_group
from towline.actions.groups.rollbacks import request_group_rollback
from towline.actions.services import get_service
from towline.contract.groups import (
    Group,
    GroupDeploy,
    GroupError,
    GroupList,
    GroupMember,
    GroupQuery,
    GroupRollback,
    GroupService,
)
from towline.errors import InvalidInput
from towline.values import DeploymentStatus, Step, Trigger
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("projects.deploy")
async def deploy_project(call: Call, body: GroupDeploy) -> Group:
    """Deploy services of the project together."""
    wanted: dict[str, Wanted] = {}
    for one in body.services:
        service = await get_service(call.session, call.project.id, one.service)
        if service.id in wanted:
            raise InvalidInput(f"The service {service.name} is named twice.", field="services")
        wanted[service.id] = _wanted(one)
    environment = await get_environment(call.work, call.project.id, body.environment)
    group = await request_group(
        call.platform,
        call.work,
        project=call.project,
        environment=environment,
        wanted=wanted,
        caller=call.caller,
    )
    call.note(group.id, environment=environment.name, services=[one.service for one in body.services])
    return await _show(call, group.id)


@router.operation("groups.rollback")
async def rollback(call: Call, body: GroupRollback) -> Group:
    """Roll back to the releases of an earlier group."""
    environment = await get_environment(call.work, call.project.id, body.environment)
    group = await request_group_rollback(
        call.platform,
        call.work,
        project=call.project,
        environment=environment,
        group_id=body.group,
        requested_by=call.caller.user_id,
    )
    call.note(group.id, environment=environment.name, rollback_to=group.rollback_to)
    return await _show(call, group.id)


@router.operation("groups.list")
async def list_(call: Call, query: GroupQuery) -> GroupList:
    """Groups of the project, newest first."""
    key = decode_cursor(query.cursor, str)
    found = await list_groups(
        call.platform,
        call.work,
        call.project.id,
        limit=query.limit + 1,
        environment=query.environment or "",
        below=str(key[0]) if key is not None else "",
    )
    page = page_of(found, limit=query.limit, key=_key)
    return GroupList(items=[_shown(call, one) for one in page["items"]], next_cursor=page["next_cursor"])


@router.operation("groups.getStatus")
async def get_status(call: Call) -> Group:
    """One group with its deployments."""
    return await _show(call, call.path["group"])


@router.operation("groups.cancel")
async def cancel(call: Call) -> Group:
    """End a group with the old releases, within seconds."""
    group = await get_group(call.session, call.project.id, call.path["group"])
    await cancel_open_group(call.platform, call.work, group)
    call.note(group.id)
    return await _show(call, group.id)


async def _show(call: Call, group_id: str) -> Group:
    await call.session.flush()
    return _shown(call, await get_group_overview(call.platform, call.work, call.project.id, group_id))


def _shown(call: Call, overview: GroupOverview) -> Group:
    row = overview.group
    facts: dict[str, Any] = {} if row.error is None else row.error
    error = {name: value for name, value in facts.items() if name in GroupError.model_fields}
    return Group(
        id=row.id,
        number=row.number,
        project_id=row.project_id,
        project=call.project.name,
        environment=overview.environment,
        status=DeploymentStatus(row.status),
        step=row.step,
        trigger=Trigger(row.trigger),
        requested_by=overview.requested_by,
        rollback_to=row.rollback_to,
        interrupts=row.interrupts,
        queue_reason=row.queue_reason,
        error=GroupError.model_validate(error) if error else None,
        attempt=row.attempt,
        created_at=row.created_at,
        started_at=row.started_at,
        switched_at=row.switched_at,
        finished_at=row.finished_at,
        members=[
            GroupMember(
                deployment_id=member.deployment.id,
                number=member.deployment.number,
                service_id=member.deployment.service_id,
                service=member.service,
                status=DeploymentStatus(member.deployment.status),
                step=Step(member.deployment.step),
                is_built=member.deployment.is_built,
                queue_reason=member.deployment.queue_reason,
                error=(member.deployment.error or {}).get("message", ""),
                release=member.release_number,
                urls=list(member.urls),
            )
            for member in overview.members
        ],
    )


def _wanted(one: GroupService) -> Wanted:
    return Wanted(
        ref=one.ref or "",
        upload=one.upload or "",
        image=one.image or "",
        dockerfile=one.dockerfile or "",
        no_cache=one.no_cache,
    )


def _key(overview: GroupOverview) -> tuple[str]:
    return (overview.group.id,)
