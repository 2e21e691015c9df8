"""Releases: which there are, whether each can be gone back to, and running one in another environment."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import bindparam, select

from towline.actions.access import Caller
from towline.actions.deploying import Place, trigger_of
from towline.actions.deployments.requests import DeploymentRequest, request_deployment
from towline.actions.environments import find_environment
from towline.actions.platform import Platform
from towline.errors import Conflict, ImageNotFound, NotFound, TowlineError
from towline.infra.database import Work
from towline.infra.reads import ReadRows
from towline.models.deployments import Deployment, Release
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload

_AT_ONCE: Final = 8
_LOOK_SECONDS: Final = 3.0
_HIGHEST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ReleaseOverview:
    """A release, whether it serves, and why it cannot be gone back to (empty: it can)."""

    release: Release
    is_current: bool
    problem: str


async def list_releases(
    platform: Platform, work: Work, *, service_id: str, environment_id: str, limit: int, below: int | None = None
) -> list[ReleaseOverview]:
    """Releases of a service in an environment with a number below `below`, newest first."""
    wanted = {
        "service_id": service_id,
        "environment_id": environment_id,
        "most": limit,
        "below": _HIGHEST if below is None else below,
    }
    rows = [(release, current) for release, current in await _newest().fetch_in(work, **wanted)]
    problems = await find_image_problems(platform, {release.image for release, _ in rows if release.is_kept})
    return [
        ReleaseOverview(
            release, is_current=release.id == current, problem=_problem(release, current=current, problems=problems)
        )
        for release, current in rows
    ]


@cache
def _newest() -> ReadRows:
    """Made once, since making it takes longer than running it."""
    place = (Workload.service_id == bindparam("service_id"), Workload.environment_id == bindparam("environment_id"))
    return ReadRows(
        select(Release, Workload.release_id)
        .join(Workload, Workload.id == Release.workload_id)
        # by one value, so that the index gives the newest first instead of all being read and sorted
        .where(Release.workload_id == select(Workload.id).where(*place).scalar_subquery())
        .where(Release.number < bindparam("below"))
        .order_by(Release.number.desc())
        .limit(bindparam("most"))
    )


async def find_image_problems(platform: Platform, images: Iterable[str]) -> dict[str, str]:
    """Why images cannot be run now, by image; those that can are left out. A few looks at once, each bounded."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def look(image: str) -> tuple[str, str]:
        async with limit:
            return image, await _image_problem(platform, image)

    looks = await asyncio.gather(*(look(image) for image in images))
    return {image: problem for image, problem in looks if problem}


async def promote_release(
    platform: Platform,
    work: Work,
    *,
    project: Project,
    service: Service,
    number: int,
    source: str,
    target: Place,
    caller: Caller,
) -> Deployment:
    """Queue a deployment of a release's image in another environment, with that environment's variables; no build.

    It is a deployment of a prebuilt image (source `custom`) that keeps the release's commit and bundle.
    """
    origin = await find_environment(work, project.id, source)
    if origin is None:
        raise NotFound(f"The project has no environment {source!r}.")
    if origin.id == target.environment.id:
        raise Conflict(f"The release is already of {source}.", hint="Roll back to it instead.")
    release = await _get_release(work, service=service, environment=origin, number=number)
    if problem := await _image_problem(platform, release.image):
        raise Conflict(f"Release {number} of {source} cannot run any more: {problem}", hint="Deploy its commit again.")
    request = DeploymentRequest(
        trigger=trigger_of(caller),
        requested_by=caller.user_id,
        ref=release.image,
        source_type="custom",
        source_config={"image": release.image},
    )
    deployment = await request_deployment(
        platform, work, project=project, service=service, environment=target.environment, request=request
    )
    deployment.commit_sha, deployment.commit_message = release.commit_sha, release.commit_message
    deployment.bundle_digest = release.bundle_digest
    return deployment


async def _get_release(work: Work, *, service: Service, environment: Environment, number: int) -> Release:
    query = (
        select(Release)
        .join(Workload, Workload.id == Release.workload_id)
        .where(Workload.service_id == service.id, Workload.environment_id == environment.id, Release.number == number)
    )
    release = (await work.session.scalars(query)).one_or_none()
    if release is None:
        raise NotFound(f"{service.name} has no release {number} in {environment.name}.")
    return release


def _problem(release: Release, *, current: str | None, problems: dict[str, str]) -> str:
    if release.id == current:
        return "It serves now."
    if not release.is_kept:
        return "It is too old and no longer kept."
    return problems.get(release.image, "")


async def _image_problem(platform: Platform, image: str) -> str:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await platform.orchestrator.get_image(image)
    except ImageNotFound:
        return "Its image is no longer on this machine."
    except TimeoutError:
        return "Docker does not answer in time."
    except TowlineError as error:
        return error.message
    return ""
