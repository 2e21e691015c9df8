"""HTTP: releases of a service."""

from towline.actions.deploying import get_place
from towline.actions.environments import find_environment
from towline.actions.releases import ReleaseOverview, list_releases, promote_release
from towline.contract.deployments import Deployment
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
        requested_by=call.caller.user_id,
    )
    call.note(queued.id, release=int(number), source=body.from_environment, target=body.to_environment)
    return await show(call, queued.id)


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
