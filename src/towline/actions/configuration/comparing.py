"""Comparing variables: between environments, between releases, and with what runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import select

from towline.actions.configuration.resolving import Target, resolve_variables
from towline.actions.platform import Platform
from towline.actions.sleep import LIVE
from towline.actions.variables import EffectiveVariable, FrozenVariable, open_frozen
from towline.errors import InvalidInput, NotFound
from towline.infra.database import Work
from towline.models.deployments import Release
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload

Kind = Literal["added", "removed", "changed"]
MOST_WORKLOADS: Final = 500
"""Workloads of a project that are looked at for variables that differ from what runs."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A variable that differs; a value is None where it is not there, or secret."""

    name: str
    kind: Kind
    before: str | None
    after: str | None
    is_secret: bool


@dataclass(frozen=True, slots=True)
class StaleWorkload:
    """A workload whose running release has other variables than one made now would get."""

    service: Service
    environment: Environment
    names: Sequence[str]
    problem: str = ""


def compare(before: Mapping[str, FrozenVariable], after: Mapping[str, FrozenVariable]) -> list[Difference]:
    """What differs, by name; secrets only as added, removed or changed."""
    return [
        _difference(name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def freeze(variables: Mapping[str, EffectiveVariable]) -> dict[str, FrozenVariable]:
    """Effective variables as a release keeps them."""
    return {
        name: FrozenVariable(variable.value, variable.is_secret, variable.mount_path)
        for name, variable in variables.items()
    }


async def compare_environments(
    platform: Platform, work: Work, project: Project, service: Service, *, first: Environment, second: Environment
) -> list[Difference]:
    """What a service would get in the second environment compared with the first."""
    before = await resolve_variables(platform, work, Target(project, service, first))
    after = await resolve_variables(platform, work, Target(project, service, second))
    return compare(freeze(before), freeze(after))


async def compare_releases(
    platform: Platform, work: Work, service: Service, environment: Environment, *, first: int, second: int
) -> list[Difference]:
    """What the second release was made with compared with the first; NotFound for a number there is none of."""
    query = (
        select(Release)
        .join(Workload, Workload.id == Release.workload_id)
        .where(Workload.service_id == service.id, Workload.environment_id == environment.id)
        .where(Release.number.in_([first, second]))
    )
    releases = {release.number: release for release in await work.session.scalars(query)}
    missing = next((number for number in (first, second) if number not in releases), None)
    if missing is not None:
        raise NotFound(f"{service.name} has no release {missing} in {environment.name}.")
    before, after = (_open(platform, releases[number]) for number in (first, second))
    return compare(before, after)


async def list_stale_workloads(
    platform: Platform, work: Work, project: Project, *, service: Service | None = None
) -> list[StaleWorkload]:
    """Running workloads that need a deployment to get the variables as they are now."""
    query = (
        select(Workload, Service, Environment, Release)
        .join(Service, Service.id == Workload.service_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .join(Release, Release.id == Workload.release_id)
        .where(Workload.project_id == project.id, Workload.wanted.in_(LIVE))
        .where(Service.deleted_at.is_(None), Environment.deleted_at.is_(None))
        .order_by(Service.name, Environment.name)
        .limit(MOST_WORKLOADS)
    )
    if service is not None:
        query = query.where(Service.id == service.id)
    found = (await work.session.execute(query)).all()
    looked = [
        await _look(platform, work, Target(project, owner, environment, release.commit_sha), release)
        for _, owner, environment, release in found
    ]
    return [stale for stale in looked if stale is not None]


async def _look(platform: Platform, work: Work, target: Target, release: Release) -> StaleWorkload | None:
    try:
        wanted = freeze(await resolve_variables(platform, work, target))
    except InvalidInput as error:
        return StaleWorkload(target.service, target.environment, (), problem=error.message)
    names = [difference.name for difference in compare(_open(platform, release), wanted)]
    return StaleWorkload(target.service, target.environment, names) if names else None


def _open(platform: Platform, release: Release) -> dict[str, FrozenVariable]:
    return open_frozen(platform, release.variables, release_id=release.id)


def _difference(name: str, before: FrozenVariable | None, after: FrozenVariable | None) -> Difference:
    is_secret = any(side is not None and side.is_secret for side in (before, after))
    kind: Kind = "added" if before is None else "removed" if after is None else "changed"
    shown = [None if side is None or is_secret else side.value for side in (before, after)]
    return Difference(name, kind, *shown, is_secret=is_secret)
