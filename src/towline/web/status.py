"""HTTP: what runs of a service, how well, and scaling, stopping and starting it."""

from datetime import datetime

from towline.actions.deploying import Place, get_place
from towline.actions.scaling import restart_workload, scale_workload, start_workload, stop_workload
from towline.actions.status import (
    InstanceOverview,
    ServiceOverview,
    find_workload_id,
    get_service_status,
    list_health_checks,
    list_service_statuses,
)
from towline.contract.base import EnvironmentQuery
from towline.contract.services import EnvironmentChoice, ServiceScale
from towline.contract.status import (
    HealthCheck,
    HealthCheckList,
    HealthQuery,
    Instance,
    InstanceList,
    ServiceStatus,
    ServiceStatusList,
)
from towline.errors import InvalidInput
from towline.values import HealthStatus
from towline.web.cursors import decode_cursor, encode_cursor
from towline.web.deps import Call
from towline.web.operations import OperationRouter
from towline.web.runs import to_run

router = OperationRouter()


@router.operation("services.getStatus")
async def get_status(call: Call, query: EnvironmentQuery) -> ServiceStatus:
    """A service in one environment."""
    return await _show(call, query.environment)


@router.operation("services.listStatuses")
async def list_statuses(call: Call, query: EnvironmentQuery) -> ServiceStatusList:
    """All services of a project in one environment, by name."""
    found = await list_service_statuses(
        call.platform, call.work, project_id=call.project.id, environment=query.environment
    )
    return ServiceStatusList(items=[_status(overview) for overview in found])


@router.operation("instances.list")
async def list_instances(call: Call, query: EnvironmentQuery) -> InstanceList:
    """Its instances, oldest first."""
    return InstanceList(items=(await _show(call, query.environment)).instances)


@router.operation("health.history")
async def list_health(call: Call, query: HealthQuery) -> HealthCheckList:
    """Looks of the monitor, newest first."""
    before = _moment(query.cursor)
    workload_id = await find_workload_id(call.work, service=call.service, environment=query.environment)
    if workload_id is None:
        return HealthCheckList(items=[])
    found = await list_health_checks(call.work, workload_id, limit=query.limit + 1, before=before)
    shown = found[: query.limit]
    return HealthCheckList(
        items=[
            HealthCheck(
                checked_at=row.checked_at, status=HealthStatus(row.status), response_ms=row.response_ms, error=row.error
            )
            for row in shown
        ],
        next_cursor=encode_cursor(shown[-1].checked_at.isoformat()) if len(found) > query.limit else None,
    )


@router.operation("services.scale")
async def scale(call: Call, body: ServiceScale) -> ServiceStatus:
    """Want another number of instances from now on."""
    place = await _get_place(call, body.environment)
    await scale_workload(
        call.platform,
        call.work,
        project=place.project,
        service=place.service,
        environment=place.environment,
        replicas=body.replicas,
    )
    call.note(call.service.id, environment=body.environment, replicas=body.replicas)
    return await _show(call, body.environment)


@router.operation("services.stop")
async def stop(call: Call, body: EnvironmentChoice) -> ServiceStatus:
    """Stop every instance until it is started or deployed again."""
    place = await _get_place(call, body.environment)
    await stop_workload(
        call.platform, call.work, project=place.project, service=place.service, environment=place.environment
    )
    return await _show(call, body.environment)


@router.operation("services.start")
async def start(call: Call, body: EnvironmentChoice) -> ServiceStatus:
    """Start the wanted number of instances again."""
    place = await _get_place(call, body.environment)
    await start_workload(
        call.platform, call.work, project=place.project, service=place.service, environment=place.environment
    )
    return await _show(call, body.environment)


@router.operation("services.restart")
async def restart(call: Call, body: EnvironmentChoice) -> ServiceStatus:
    """Replace the instances by new ones of the same release; it runs as a deployment."""
    place = await _get_place(call, body.environment)
    queued = await restart_workload(
        call.platform,
        call.work,
        project=place.project,
        service=place.service,
        environment=place.environment,
        requested_by=call.caller.user_id,
    )
    call.note(call.service.id, environment=body.environment, deployment=queued.id)
    return await _show(call, body.environment)


async def _get_place(call: Call, environment: str) -> Place:
    return await get_place(call.work, project=call.project, service=call.service, environment=environment)


async def _show(call: Call, environment: str) -> ServiceStatus:
    await call.session.flush()
    overview = await get_service_status(call.platform, call.work, service=call.service, environment=environment)
    return _status(overview)


def _status(overview: ServiceOverview) -> ServiceStatus:
    service, workload, release = overview.service, overview.workload, overview.release
    facts = {
        "project_id": service.project_id,
        "service_id": service.id,
        "environment": overview.environment,
        "replicas": service.run.get("replicas", 1) if workload is None else workload.replicas,
        "running": overview.running,
        "urls": list(overview.urls),
        "instances": [_instance(one) for one in overview.instances],
        "deployment_id": overview.open_deployment_id,
        "last_deployment_id": overview.last_deployment_id,
        "error": overview.engine_problem,
        "next_run_at": overview.next_run_at,
        "state": "stopped",
        "health": HealthStatus.UNKNOWN,
    }
    is_on = workload is not None and (workload.release_id is not None or overview.open_deployment_id is not None)
    if workload is not None and is_on:
        facts |= {"state": workload.wanted, "error": overview.engine_problem or workload.health_error}
    if workload is not None and is_on and workload.wanted == "running":
        facts |= {
            "health": workload.health,
            "checked_at": workload.health_at,
            "response_ms": workload.response_ms,
        }
    if overview.last_run is not None:
        facts["last_run"] = to_run(overview.last_run)
    if release is not None:
        facts |= {"release": release.number, "image": release.image, "revision": release.commit_sha}
    return ServiceStatus.model_validate(facts)


def _instance(overview: InstanceOverview) -> Instance:
    instance = overview.instance
    return Instance(
        id=instance.id,
        name=instance.name,
        release=overview.release_number,
        state=instance.state,
        health=overview.health,
        is_routed=overview.is_routed,
        address=instance.address,
        port=overview.port,
        started_at=instance.started_at,
        finished_at=instance.finished_at,
        exit_code=instance.exit_code,
        is_out_of_memory=instance.is_out_of_memory,
        restarts=instance.restarts,
    )


def _moment(cursor: str | None) -> datetime | None:
    key = decode_cursor(cursor, str)
    try:
        moment = None if key is None else datetime.fromisoformat(key[0])
    except ValueError as error:
        raise InvalidInput("cursor is not one that this list gave.", field="cursor") from error
    if moment is not None and moment.tzinfo is None:
        raise InvalidInput("cursor is not one that this list gave.", field="cursor")
    return moment
