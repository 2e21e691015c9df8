"""What a deployment changes: its commit, image, settings and variables held against the release it replaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select

from towline.actions.configuration.comparing import Difference, compare
from towline.actions.platform import Platform
from towline.actions.variables import open_frozen
from towline.infra.database import Work
from towline.models.deployments import Deployment, Release
from towline.models.services import Workload


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that differs, each side as JSON; empty where it is not set."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class DeploymentChanges:
    """A deployment held against the release that served before, None for a first one.

    Settings and variables are known once the deployment has made a release.
    """

    deployment: Deployment
    before: Release | None
    after: Release | None
    settings: Sequence[SettingChange] = ()
    variables: Sequence[Difference] = ()


async def find_changes(platform: Platform, work: Work, deployment: Deployment) -> DeploymentChanges:
    """What a deployment changed or, as long as it has not switched, what it would."""
    before_id = deployment.previous_release_id
    if deployment.switched_at is None:
        serving = select(Workload.release_id).where(Workload.id == deployment.workload_id)
        before_id = await work.session.scalar(serving)
    ids = {release_id for release_id in (before_id, deployment.release_id) if release_id}
    releases = {row.id: row for row in await work.session.scalars(select(Release).where(Release.id.in_(ids)))}
    before, after = releases.get(before_id or ""), releases.get(deployment.release_id or "")
    if before is None or after is None:
        return DeploymentChanges(deployment, before, after)
    variables = [open_frozen(platform, release.variables, release_id=release.id) for release in (before, after)]
    return DeploymentChanges(
        deployment, before, after, settings=compare_settings(before, after), variables=compare(*variables)
    )


def compare_settings(before: Release, after: Release) -> list[SettingChange]:
    """Run settings of two releases that differ, by name."""
    first, second = ({**release.run, "port": release.port} for release in (before, after))
    return [
        SettingChange(name, _json(first.get(name)), _json(second.get(name)))
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    ]


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()
