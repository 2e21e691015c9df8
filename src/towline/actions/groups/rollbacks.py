"""Rolling back: a group of rollbacks, to what an earlier group had left or to what there was before the newest one."""

from sqlalchemy import ColumnElement, select

from towline.actions.deploying import Asked
from towline.actions.deployments.requests import DeploymentRequest
from towline.actions.groups.requests import Scene, add_group, lock_scene
from towline.actions.platform import Platform
from towline.errors import Conflict, NotFound
from towline.infra.database import Work
from towline.models.deployments import Deployment, Release
from towline.models.groups import Group
from towline.models.projects import Environment, Project
from towline.values import DeploymentStatus, Trigger


async def request_group_rollback(
    platform: Platform,
    work: Work,
    *,
    project: Project,
    environment: Environment,
    group_id: str | None,
    requested_by: str,
) -> Group:
    """Queue a group that brings each service of an earlier group back to the release it had when that group had ended.

    None undoes the newest group: each of its services gets the release it had before. Services that run that release
    are left alone. NotFound when there is no such group or a release is no longer kept.
    """
    scene = await lock_scene(work, project, environment)
    if group_id is None:
        undone = await _get_newest(work, environment)
        releases = await _list_releases(work, undone, is_before=True)
        target = await _find_before(work, undone)
    else:
        target = await _get_ended(work, environment, group_id)
        releases = await _list_releases(work, target, is_before=False)
    asked = {
        service_id: Asked(
            DeploymentRequest(trigger=Trigger.ROLLBACK, requested_by=requested_by, rollback_to=release.id)
        )
        for service_id, release in _check_kept(scene, releases).items()
    }
    rollback_to = None if target is None else target.id
    return await add_group(
        platform, work, scene, asked, trigger=Trigger.ROLLBACK, requested_by=requested_by, rollback_to=rollback_to
    )


def _check_kept(scene: Scene, releases: dict[str, Release]) -> dict[str, Release]:
    """Releases to roll back to; services that were deleted or run that release already are left out."""
    wanted = {
        service_id: release
        for service_id, release in releases.items()
        if service_id in scene.services and scene.workloads[service_id].release_id != release.id
    }
    for service_id, release in wanted.items():
        if not release.is_kept:
            raise NotFound(
                f"Release {release.number} of {scene.services[service_id].name} is no longer kept.",
                hint="Roll the other services back one by one: `towline rollback SERVICE`.",
            )
    if not wanted:
        raise Conflict("There is nothing to roll back to: every service runs that release already.")
    return wanted


async def _get_newest(work: Work, environment: Environment) -> Group:
    """The group whose releases run now: the newest one, or the one that the newest one rolled back to."""
    query = select(Group).where(*_succeeded(environment)).order_by(Group.number.desc()).limit(1)
    group = (await work.session.scalars(query)).first()
    while group is not None and group.trigger == Trigger.ROLLBACK:
        group = None if group.rollback_to is None else await work.session.get(Group, group.rollback_to)
    if group is None:
        raise NotFound("There is no earlier group to roll back to.", hint="`towline group status` lists all of them.")
    return group


async def _find_before(work: Work, group: Group) -> Group | None:
    query = (
        select(Group)
        .where(Group.environment_id == group.environment_id, Group.status == DeploymentStatus.SUCCESS.value)
        .where(Group.number < group.number, Group.trigger != Trigger.ROLLBACK.value)
        .order_by(Group.number.desc())
        .limit(1)
    )
    return (await work.session.scalars(query)).first()


async def _get_ended(work: Work, environment: Environment, group_id: str) -> Group:
    group = (await work.session.scalars(select(Group).where(*_succeeded(environment), Group.id == group_id))).first()
    if group is None:
        raise NotFound(
            f"{environment.name} has no group {group_id!r} that succeeded.",
            hint="`towline group status` lists all of them.",
        )
    return group


async def _list_releases(work: Work, group: Group, *, is_before: bool) -> dict[str, Release]:
    """The release that each service of a group had after it, or before it, by service."""
    column = Deployment.previous_release_id if is_before else Deployment.release_id
    query = (
        select(Deployment.service_id, Release)
        .join(Release, Release.id == column)
        .where(Deployment.group_id == group.id)
    )
    rows = (await work.session.execute(query)).all()
    return {row.service_id: row.Release for row in rows}


def _succeeded(environment: Environment) -> tuple[ColumnElement[bool], ...]:
    return (Group.environment_id == environment.id, Group.status == DeploymentStatus.SUCCESS.value)
