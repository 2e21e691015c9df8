"""Asking for a deployment: what a caller names (ref, upload, image, Dockerfile or nothing) checked and queued."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select

from towline.actions.access import Caller, Permission, may
from towline.actions.dependencies import get_graph
from towline.actions.deployments.needs import find_open, list_missing, wait_for
from towline.actions.deployments.requests import DeploymentRequest, request_deployment, request_rollback
from towline.actions.environments import get_environment
from towline.actions.graph.order import limited_to, needs_of, to_order
from towline.actions.platform import Platform
from towline.actions.sharing import find_own_services, find_preview_of
from towline.actions.uploads import check_deployable
from towline.errors import InvalidInput, NotFound
from towline.infra.database import Work
from towline.models.deployments import Deployment, Release
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload
from towline.names import is_git_ref
from towline.values import Trigger

_WITHOUT_REF: Final = frozenset({"upload", "custom"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be deployed: at most one of the first four; none means the source's default."""

    ref: str = ""
    upload: str = ""
    image: str = ""
    dockerfile: str = ""
    no_cache: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is deployed."""

    project: Project
    service: Service
    environment: Environment


async def get_place(work: Work, *, project: Project, service: Service, environment: str) -> Place:
    """The rows behind the names; `production` is made when it is not there yet."""
    return Place(project, service, await get_environment(work, project.id, environment))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose source was checked; `earlier` is the deployment whose upload it builds again."""

    request: DeploymentRequest
    earlier: Deployment | None = None


async def deploy(
    platform: Platform, work: Work, place: Place, *, wanted: Wanted, caller: Caller, trigger: Trigger | None = None
) -> Deployment:
    """Queue a deployment of what is wanted, behind deployments of what it needs that is not live and healthy.

    InvalidInput naming the field that does not fit the service's source.
    """
    trigger = trigger or trigger_of(caller)
    asked = await check_wanted(platform, work, place, wanted=wanted, caller=caller, trigger=trigger)
    needed = await _bring_up(platform, work, place, caller=caller, trigger=trigger)
    deployment = await queue(platform, work, place, asked)
    await wait_for(work, deployment, needed)
    return deployment


def trigger_of(caller: Caller) -> Trigger:
    """Why something was asked for: by hand with a session, by the API with a key."""
    return Trigger.MANUAL if caller.session_id else Trigger.API


async def check_wanted(
    platform: Platform, work: Work, place: Place, *, wanted: Wanted, caller: Caller, trigger: Trigger
) -> Asked:
    """The request that carries what is wanted; InvalidInput naming the field that does not fit the source."""
    earlier = await _get_last_upload(work, place) if _repeats_upload(place, wanted) else None
    request = await _to_request(platform, work, place, wanted)
    allows_local = may(caller, Permission.ADMINISTER, role=None)
    asked = replace(
        request,
        trigger=trigger,
        requested_by=caller.user_id,
        allows_local=allows_local,
        no_cache=wanted.no_cache,
    )
    return Asked(asked, earlier)


async def queue(platform: Platform, work: Work, place: Place, asked: Asked) -> Deployment:
    """Queue a deployment."""
    deployment = await request_deployment(
        platform,
        work,
        project=place.project,
        service=place.service,
        environment=place.environment,
        request=asked.request,
    )
    if (earlier := asked.earlier) is not None:
        deployment.bundle_digest, deployment.commit_sha = earlier.bundle_digest, earlier.commit_sha
        deployment.commit_message, deployment.ref = earlier.commit_message, earlier.ref
    return deployment


async def check_needed(
    platform: Platform, work: Work, place: Place, *, workload: Workload | None, caller: Caller, trigger: Trigger
) -> Asked:
    """The request that brings up a service which another one needs: the release it has, else its source's default."""
    if workload is not None and workload.release_id is not None:
        release_id = workload.release_id
        return Asked(DeploymentRequest(trigger=trigger, requested_by=caller.user_id, rollback_to=release_id))
    try:
        return await check_wanted(platform, work, place, wanted=Wanted(), caller=caller, trigger=trigger)
    except InvalidInput as error:
        name = place.service.name
        raise InvalidInput(
            f"{name} is needed and has to be deployed first: {error.message}", hint=error.hint
        ) from error


async def _bring_up(
    platform: Platform, work: Work, place: Place, *, caller: Caller, trigger: Trigger
) -> list[tuple[Deployment, str]]:
    """Queue what a service needs and is not live and healthy, in order; what the service itself has to wait for."""
    own = place.service.id
    graph = await get_graph(work, place.project.id)
    there = await find_own_services(work, place.environment)
    needed = needs_of(graph.needs, [own]) & (graph.names.keys() if there is None else there)
    missing = await list_missing(work, place.environment, sorted(needed))
    order = limited_to(graph.needs, {*missing, own})
    asked: dict[str, Deployment] = {}
    for service_id in to_order(order):
        if service_id == own:
            break
        found = await find_open(work, service_id, place.environment)
        if found is None:
            service = await work.session.get_one(Service, service_id)
            its_place = Place(place.project, service, place.environment)
            wanted = await check_needed(
                platform, work, its_place, workload=missing[service_id], caller=caller, trigger=trigger
            )
            found = await queue(platform, work, its_place, wanted)
            await wait_for(work, found, [(asked[need], graph.names[need]) for need in order[service_id]])
        asked[service_id] = found
    return [(asked[need], graph.names[need]) for need in order[own]]


async def roll_back(
    platform: Platform, work: Work, place: Place, *, release_number: int | None, requested_by: str
) -> Deployment:
    """Queue a rollback to a kept release of this place; None means the one before the current."""
    return await request_rollback(
        platform,
        work,
        project=place.project,
        service=place.service,
        environment=place.environment,
        release_number=release_number,
        requested_by=requested_by,
    )


async def get_release_number(work: Work, deployment: Deployment) -> int:
    """The number of the release a deployment put live; NotFound when it made none."""
    query = select(Release.number).where(Release.id == deployment.release_id)
    number = None if deployment.release_id is None else await work.session.scalar(query)
    if number is None:
        raise NotFound(
            f"Deployment {deployment.number} made no release to roll back to.", hint="`towline releases` lists them."
        )
    return number


async def get_place_of(work: Work, project: Project, deployment: Deployment) -> Place:
    """Where a deployment belongs; NotFound when its service or environment was deleted since."""
    query = (
        select(Service, Environment)
        .join(Workload, Workload.service_id == Service.id)
        .join(Environment, Environment.id == Workload.environment_id)
        .where(Workload.id == deployment.workload_id, Service.deleted_at.is_(None), Environment.deleted_at.is_(None))
    )
    row = (await work.session.execute(query)).first()
    if row is None:
        raise NotFound("The service or environment of this deployment was deleted.")
    return Place(project, row[0], row[1])


def check_git_ref(ref: str, *, field: str = "ref") -> str:
    """Return a branch, tag or commit valid by `git check-ref-format`; InvalidInput naming `field` otherwise."""
    if not is_git_ref(ref):
        raise InvalidInput(f"{field} {ref[:200]!r} is not the name of a branch or tag, nor a commit.", field=field)
    return ref


async def _to_request(platform: Platform, work: Work, place: Place, wanted: Wanted) -> DeploymentRequest:
    if wanted.upload:
        await check_deployable(platform, work, project_id=place.project.id, digest=wanted.upload)
        return DeploymentRequest(ref=wanted.upload, source_type="upload", source_config=_valid(platform, "upload", {}))
    if wanted.image:
        config = _valid(platform, "custom", {"image": wanted.image})
        return DeploymentRequest(ref=wanted.image, source_type="custom", source_config=config)
    if wanted.dockerfile:
        config = _valid(platform, "custom", {"dockerfile": wanted.dockerfile})
        return DeploymentRequest(source_type="custom", source_config=config)
    return _default_request(platform, place.service, wanted)


def _default_request(platform: Platform, service: Service, wanted: Wanted) -> DeploymentRequest:
    if wanted.ref and service.source_type in _WITHOUT_REF:
        raise InvalidInput(
            f"{service.name} has the source {service.source_type!r}, which has no branches or tags.", field="ref"
        )
    config = _valid(platform, service.source_type, service.source_config)
    ref = check_git_ref(wanted.ref) if wanted.ref else ""
    return DeploymentRequest(ref=ref, source_type=service.source_type, source_config=config)


def _valid(platform: Platform, source_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
    source = platform.sources.get(source_type)
    if source is None:
        raise InvalidInput(f"The source {source_type!r} is not available here.", field="source")
    return source.validate_config(config)


def _repeats_upload(place: Place, wanted: Wanted) -> bool:
    is_named = wanted.ref or wanted.upload or wanted.image or wanted.dockerfile
    return place.service.source_type == "upload" and not is_named


async def _get_last_upload(work: Work, place: Place) -> Deployment:
    """The newest deployment here whose fetched upload can be built again, though the archive itself may be gone.

    A preview that had none of its own takes that of its base environment.
    """
    preview = await find_preview_of(work, place.environment)
    environment_ids = [place.environment.id, *([preview.base_environment_id] if preview is not None else [])]
    is_here = Deployment.environment_id == place.environment.id
    query = (
        select(Deployment)
        .where(Deployment.service_id == place.service.id, Deployment.environment_id.in_(environment_ids))
        .where(Deployment.source_type == "upload", Deployment.bundle_digest != "")
        .order_by(is_here.desc(), Deployment.created_at.desc())
        .limit(1)
    )
    deployment = (await work.session.scalars(query)).first()
    if deployment is None:
        raise InvalidInput(
            f"{place.service.name} is deployed from uploads, and there is none yet.",
            hint="Send an archive first (`towline deploy PATH`), then name it as `upload`.",
            field="upload",
        )
    return deployment
