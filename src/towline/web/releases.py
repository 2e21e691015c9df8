"""HTTP: releases of a service."""

from towline.actions.access import Permission, may
from towline.actions.deploying import get_place
from towline.actions.environments import find_environment
from towline.actions.granting import find_role
from towline.actions.release_changes import DeploymentChanges as Changes
from towline.actions.release_changes import find_changes
from towline.actions.releases import ReleaseOverview, list_releases, promote_release
from towline.contract.deployments import Deployment, DeploymentChanges
from towline.contract.releases import Release, ReleaseList, ReleasePromote, ReleaseQuery
from towline.errors import NotFound
from towline.web.cursors import decode_cursor, encode_cursor
from towline.web.deployments import show
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()
_LONGEST_NUMBER = 9


@router.operation("releases.list")
async def list_(call: Call, query: ReleaseQuery) -> ReleaseList:
    """Releases in one environment, newest first."""
    after = decode_cursor(query.cursor, int)
    environment = await find_environment(call.work, call.project.id, query.environment)
    if environment is None:
        return _nothing(query)
    found = await list_releases(
        call.platform,
        call.work,
        service_id=call.service.id,
        environment_id=environment.id,
        limit=query.limit + 1,
        below=None if after is None else min(after[0], 2**31 - 1),
    )
    shown = found[: query.limit]
    has_more = len(found) > query.limit
    return ReleaseList(
        items=[_release(overview, environment.name) for overview in shown],
        next_cursor=encode_cursor(shown[-1].release.number) if has_more else None,
    )


@router.operation("releases.promote")
async def promote(call: Call, body: ReleasePromote) -> Deployment:
    """Run a release of one environment in another, without a build."""
    number = call.path["release"]
    if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER):
        raise NotFound(f"There is no release {number!r}; releases have numbers.")
    place = await get_place(call.work, project=call.project, service=call.service, environment=body.to_environment)
    queued = await promote_release(
        call.platform,
        call.work,
        project=call.project,
        service=call.service,
        number=int(number),
        source=body.from_environment,
        target=place,
        caller=call.caller,
    )
    call.note(queued.id, release=int(number), source=body.from_environment, target=body.to_environment)
    return await show(call, queued.id)


@router.operation("deployments.getChanges")
async def get_changes(call: Call) -> DeploymentChanges:
    """What a deployment changes, held against the release that served before it."""
    found = await find_changes(call.platform, call.work, call.deployment)
    role = await find_role(call.session, call.project.id, call.caller.user_id)
    return _changes(found, has_variables=may(call.caller, Permission.DEPLOY, role=role))


def _changes(found: Changes, *, has_variables: bool) -> DeploymentChanges:
    deployment, before, after = found.deployment, found.before, found.after
    facts: dict[str, object] = {
        "revision": deployment.commit_sha,
        "message": deployment.commit_message.partition("\n")[0],
        "settings": [{"name": one.name, "before": one.before, "after": one.after} for one in found.settings],
    }
    if before is not None:
        facts |= {
            "previous_release": before.number,
            "previous_deployment": before.deployment_id,
            "previous_revision": before.commit_sha,
            "previous_message": before.commit_message.partition("\n")[0],
            "previous_image": before.image_digest,
        }
    if after is not None:
        facts |= {"release": after.number, "image": after.image_digest}
    if has_variables:
        facts["variables"] = [
            {"name": one.name, "kind": one.kind, "is_secret": one.is_secret} for one in found.variables
        ]
    return DeploymentChanges.model_validate(facts)


def _nothing(query: ReleaseQuery) -> ReleaseList:
    if query.environment != "production":
        raise NotFound(f"The project has no environment {query.environment!r}.")
    return ReleaseList(items=[])


def _release(overview: ReleaseOverview, environment: str) -> Release:
    row = overview.release
    return Release(
        id=row.id,
        number=row.number,
        environment=environment,
        deployment_id=row.deployment_id,
        image=row.image,
        commit=row.commit_sha,
        message=row.commit_message.partition("\n")[0],
        created_at=row.created_at,
        is_current=overview.is_current,
        can_rollback=not overview.problem,
        rollback_problem=overview.problem,
    )
