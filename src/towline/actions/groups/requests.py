"""Requesting groups: which services belong to one, and the rows of the group and of its deployments."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from towline.actions.access import Caller
from towline.actions.dependencies import get_graph
from towline.actions.deploying import Asked, Place, Wanted, check_needed, check_wanted, queue, trigger_of
from towline.actions.deployments.needs import find_open, list_missing, wait_for
from towline.actions.deployments.requests import end_waiting
from towline.actions.deployments.waiting import OPEN, emit_group
from towline.actions.graph.order import Graph, limited_to, needs_of
from towline.actions.platform import Platform
from towline.actions.settings import run_settings
from towline.actions.sharing import check_belongs, find_own_services
from towline.actions.sleep import LIVE
from towline.actions.workloads import wanted_replicas
from towline.errors import InvalidInput
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.groups import Group
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload
from towline.names import new_id
from towline.values import DeploymentStatus, Trigger


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a group is deployed, and the services and workloads there by id of the service, their rows locked."""

    project: Project
    environment: Environment
    services: Mapping[str, Service]
    workloads: Mapping[str, Workload]

    def place(self, service_id: str) -> Place:
        """Where one of the services is deployed."""
        return Place(self.project, self.services[service_id], self.environment)


async def request_group(
    platform: Platform,
    work: Work,
    *,
    project: Project,
    environment: Environment,
    wanted: Mapping[str, Wanted],
    caller: Caller,
    trigger: Trigger | None = None,
) -> Group:
    """Queue a deployment of services (by id; none means the whole project) that switch together.

    What they need that is not live and healthy belongs to it. Waiting older groups whose services it covers are
    superseded. InvalidInput names a service that has nothing to deploy.
    """
    trigger = trigger or trigger_of(caller)
    scene = await lock_scene(work, project, environment)
    chosen = await _choose(work, scene, wanted)
    graph = await get_graph(work, project.id)
    needed = needs_of(graph.needs, chosen) & scene.workloads.keys()
    missing = await list_missing(work, environment, sorted(needed - chosen))
    asked: dict[str, Asked] = {}
    under_way: dict[str, Deployment] = {}
    for service_id, workload in missing.items():
        if (found := await find_open(work, service_id, environment)) is not None:
            under_way[service_id] = found
            continue
        asked[service_id] = await check_needed(
            platform, work, scene.place(service_id), workload=workload, caller=caller, trigger=trigger
        )
    for service_id in chosen:
        asked[service_id] = await _check_chosen(
            platform, work, scene.place(service_id), wanted.get(service_id, Wanted()), caller=caller, trigger=trigger
        )
    group = await add_group(platform, work, scene, asked, trigger=trigger, requested_by=caller.user_id)
    await _wait_for_others(work, scene, group, limited_to(graph.needs, {*asked, *under_way}), under_way=under_way)
    return group


async def _choose(work: Work, scene: Scene, wanted: Collection[str]) -> set[str]:
    for service_id in wanted:
        await check_belongs(work, scene.services[service_id], scene.environment)
    chosen = {*wanted} or {one for one, workload in scene.workloads.items() if workload.wanted in LIVE}
    if not chosen:
        raise InvalidInput(
            f"{scene.project.name} has no service to deploy.", hint="Create a service, or start a stopped one."
        )
    return chosen


async def _wait_for_others(
    work: Work, scene: Scene, group: Group, graph: Graph, *, under_way: Mapping[str, Deployment]
) -> None:
    """Let members wait for older deployments of what they need."""
    members = (await work.session.scalars(select(Deployment).where(Deployment.group_id == group.id))).all()
    for member in members:
        needed = [
            (under_way[need], scene.services[need].name) for need in graph[member.service_id] if need in under_way
        ]
        await wait_for(work, member, needed)


async def _check_chosen(
    platform: Platform, work: Work, place: Place, wanted: Wanted, *, caller: Caller, trigger: Trigger
) -> Asked:
    try:
        return await check_wanted(platform, work, place, wanted=wanted, caller=caller, trigger=trigger)
    except InvalidInput as error:
        raise InvalidInput(f"{place.service.name}: {error.message}", hint=error.hint, field="services") from error


async def lock_scene(work: Work, project: Project, environment: Environment) -> Scene:
    """The services of the project with their workloads, locked in the order of their ids as everywhere."""
    await work.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:environment, 23))"), {"environment": environment.id}
    )
    query = select(Service).where(Service.project_id == project.id, Service.deleted_at.is_(None)).order_by(Service.name)
    services = {service.id: service for service in await work.session.scalars(query)}
    own = await find_own_services(work, environment)
    rows = [_new_workload(service, environment) for service in services.values() if own is None or service.id in own]
    if rows:
        await work.session.execute(insert(Workload).values(rows).on_conflict_do_nothing())
    locked = (
        select(Workload)
        .where(Workload.environment_id == environment.id, Workload.service_id.in_(list(services)))
        .order_by(Workload.id)
        .with_for_update()
    )
    workloads = {workload.service_id: workload for workload in await work.session.scalars(locked)}
    return Scene(project, environment, services, workloads)


def _new_workload(service: Service, environment: Environment) -> dict[str, Any]:
    return {
        "id": new_id("wkl"),
        "project_id": service.project_id,
        "service_id": service.id,
        "environment_id": environment.id,
        "replicas": wanted_replicas(service),
        "created_at": utc_now(),
    }


async def add_group(
    platform: Platform,
    work: Work,
    scene: Scene,
    asked: Mapping[str, Asked],
    *,
    trigger: Trigger,
    requested_by: str,
    rollback_to: str | None = None,
) -> Group:
    """Add the rows of a group and of its deployments."""
    await _supersede_waiting(platform, work, scene, covered=set(asked))
    group = Group(
        id=new_id("grp"),
        created_at=utc_now(),
        number=await _next_number(work, scene.environment),
        project_id=scene.project.id,
        environment_id=scene.environment.id,
        requested_by=requested_by,
        trigger=trigger.value,
        rollback_to=rollback_to,
        interrupts=_list_interrupted(scene, asked),
        status=DeploymentStatus.QUEUED.value,
        step="wait",
        attempt=0,
        queue_reason=await _waits_for(work, scene.environment),
    )
    work.session.add(group)
    await work.session.flush()
    emit_group(platform, work, group, "group.progress")
    for service_id in sorted(asked, key=lambda one: scene.services[one].name):
        one = asked[service_id]
        member = Asked(replace(one.request, group_id=group.id), one.earlier)
        deployment = await queue(platform, work, scene.place(service_id), member)
        deployment.queue_reason = group.queue_reason
    return group


async def _supersede_waiting(platform: Platform, work: Work, scene: Scene, *, covered: Collection[str]) -> None:
    """End older groups that nobody has begun when every service of theirs is deployed by the new one anyway."""
    waiting = select(Group).where(
        Group.environment_id == scene.environment.id, Group.status == DeploymentStatus.QUEUED.value
    )
    for group in (await work.session.scalars(waiting)).all():
        query = select(Deployment).where(Deployment.group_id == group.id).order_by(Deployment.id).with_for_update()
        members = (await work.session.scalars(query, execution_options={"populate_existing": True})).all()
        is_waiting = all(member.status == DeploymentStatus.QUEUED for member in members)
        if not is_waiting or not {member.service_id for member in members} <= set(covered):
            continue
        reason = "A newer group came."
        for member in members:
            end_waiting(platform, work, member, status=DeploymentStatus.SUPERSEDED, reason=reason)
        group.status, group.finished_at, group.queue_reason = DeploymentStatus.SUPERSEDED.value, utc_now(), reason
        emit_group(platform, work, group, "group.failed")


async def _next_number(work: Work, environment: Environment) -> int:
    newest = await work.session.scalar(select(func.max(Group.number)).where(Group.environment_id == environment.id))
    return (newest or 0) + 1


async def _waits_for(work: Work, environment: Environment) -> str:
    query = select(func.max(Group.number)).where(Group.environment_id == environment.id, Group.status.in_(OPEN))
    older = await work.session.scalar(query)
    return "" if older is None else f"Waiting for group {older}."


def _list_interrupted(scene: Scene, asked: Collection[str]) -> list[str]:
    """Names of services whose running instance has to stop before the new one starts."""
    with_volume = [one for one in asked if run_settings(scene.services[one].run).volumes]
    return sorted(scene.services[one].name for one in with_volume if scene.workloads[one].release_id is not None)
