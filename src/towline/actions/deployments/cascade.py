"""Cascade: a success asks for new deployments of the services that want to follow it, each once."""

from collections.abc import Sequence

from sqlalchemy import select

from towline.actions.dependencies import ServiceGraph, get_graph
from towline.actions.deployments.needs import wait_for
from towline.actions.deployments.requests import DeploymentRequest, request_deployment
from towline.actions.graph.order import limited_to, needs_of, reversed_graph, to_order
from towline.actions.platform import Platform
from towline.actions.sleep import LIVE
from towline.infra.database import Work
from towline.models.deployments import Deployment, Release
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload
from towline.values import DeploymentStatus, Trigger


async def request_cascade(
    platform: Platform, work: Work, project: Project, environment: Environment, *, changed: Sequence[Deployment]
) -> list[Deployment]:
    """Queue deployments of everything that follows the changed ones, in order, in the transaction of their success.

    All at once, linked by what they need, so that a service that follows on two ways comes once. What was deployed by a
    cascade sets off nothing more, nor does a restart. Only what is live follows: with the image it has, and the
    settings and variables of now.
    """
    roots = [deployment for deployment in changed if _is_change(deployment)]
    if not roots:
        return []
    graph = await get_graph(work, project.id)
    live = await _list_live(work, environment, sorted(followers_of(graph, {one.service_id for one in changed})))
    order = limited_to(graph.needs, live)
    asked: dict[str, Deployment] = {}
    for service_id in [one for one in to_order(order) if one in live]:
        service, release = live[service_id]
        deployment = await _follow(platform, work, project, service, environment, release=release, cause=roots[0])
        if deployment is None:
            continue
        asked[service_id] = deployment
        needed = [(asked[need], live[need][0].name) for need in sorted(order[service_id]) if need in asked]
        await wait_for(work, deployment, needed)
    return list(asked.values())


def followers_of(graph: ServiceGraph, changed: set[str]) -> frozenset[str]:
    """Services that follow a change of others, directly or not; never one of the changed."""
    return needs_of(reversed_graph(graph.cascades), changed) - changed


def _is_change(deployment: Deployment) -> bool:
    is_restart = deployment.rollback_to is not None and deployment.rollback_to == deployment.previous_release_id
    return deployment.trigger != Trigger.CASCADE and not is_restart


async def _list_live(
    work: Work, environment: Environment, service_ids: Sequence[str]
) -> dict[str, tuple[Service, Release]]:
    if not service_ids:
        return {}
    query = (
        select(Service, Release)
        .join(Workload, Workload.service_id == Service.id)
        .join(Release, Release.id == Workload.release_id)
        .where(Workload.environment_id == environment.id, Workload.wanted.in_(LIVE))
        .where(Service.id.in_(service_ids), Service.deleted_at.is_(None))
    )
    return {service.id: (service, release) for service, release in await work.session.execute(query)}


async def _follow(
    platform: Platform,
    work: Work,
    project: Project,
    service: Service,
    environment: Environment,
    *,
    release: Release,
    cause: Deployment,
) -> Deployment | None:
    """The deployment that follows; None when a group is about to deploy the service anyway."""
    waiting = select(Deployment).where(
        Deployment.service_id == service.id,
        Deployment.environment_id == environment.id,
        Deployment.status == DeploymentStatus.QUEUED.value,
    )
    if (found := (await work.session.scalars(waiting.limit(1))).first()) is not None:
        # It has not begun, so it will see the change anyway. A member of a group waits for nothing newer than itself.
        return found if found.group_id is None else None
    request = DeploymentRequest(
        trigger=Trigger.CASCADE,
        requested_by=cause.requested_by,
        ref=release.image,
        source_type="custom",
        source_config={"image": release.image},
    )
    deployment = await request_deployment(
        platform, work, project=project, service=service, environment=environment, request=request
    )
    deployment.commit_sha, deployment.commit_message = release.commit_sha, release.commit_message
    deployment.bundle_digest = release.bundle_digest
    return deployment
