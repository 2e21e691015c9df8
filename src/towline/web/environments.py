"""HTTP: environments of a project."""

from typing import cast

from towline.actions.deletion import delete_environment
from towline.actions.environments import create_environment, get_environment, list_environments
from towline.actions.protection.links import create_share_link, delete_share_link
from towline.actions.protection.settings import set_protection, set_sleep
from towline.actions.sleep import Sleep, ask_for
from towline.contract.base import PageQuery
from towline.contract.environments import (
    Environment,
    EnvironmentCreate,
    EnvironmentList,
    EnvironmentUpdate,
    Protection,
    ShareLinks,
)
from towline.models.projects import Environment as EnvironmentRow
from towline.values import EnvironmentKind
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("environments.list")
async def list_(call: Call, query: PageQuery) -> EnvironmentList:
    """Environments of a project, production first."""
    key = decode_cursor(query.cursor, bool, str)
    after = (bool(key[0]), str(key[1])) if key is not None else None
    found = await list_environments(call.work, call.project.id, after=after, limit=query.limit + 1)
    page = page_of(list(found), limit=query.limit, key=_key)
    return EnvironmentList(items=[_shown(row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("environments.create")
async def create(call: Call, body: EnvironmentCreate) -> Environment:
    """A new environment; services appear in it with their first deployment to it."""
    environment = await create_environment(
        call.platform, call.work, call.project.id, name=body.name, kind=EnvironmentKind(body.kind)
    )
    call.note(environment.id, name=environment.name, kind=environment.kind)
    return _shown(environment)


@router.operation("environments.update")
async def update(call: Call, body: EnvironmentUpdate) -> Environment:
    """Say when an environment falls asleep, and who may visit it; what is left out stays as it is."""
    environment = await get_environment(call.work, call.project.id, call.path["environment"])
    if "sleeps_after" in body.model_fields_set:
        await set_sleep(call.platform, call.work, environment, body.sleeps_after)
    if "protection" in body.model_fields_set:
        set_protection(call.platform, call.work, environment, body.protection)
    call.note(environment.id, name=environment.name, **body.model_dump(exclude_unset=True))
    return _shown(environment)


@router.operation("environments.wake")
async def wake(call: Call) -> Environment:
    """Wake an environment that sleeps; done when it does not."""
    environment = await get_environment(call.work, call.project.id, call.path["environment"])
    await ask_for(call.platform, call.work, environment.id)
    await call.session.refresh(environment)
    call.note(environment.id, name=environment.name)
    return _shown(environment)


@router.operation("environments.createShareLink")
async def create_link(call: Call) -> ShareLinks:
    """Make a new share link, in place of earlier ones."""
    environment = await get_environment(call.work, call.project.id, call.path["environment"])
    urls = await create_share_link(call.platform, call.work, environment)
    call.note(environment.id, name=environment.name)
    return ShareLinks(urls=list(urls))


@router.operation("environments.deleteShareLink")
async def delete_link(call: Call) -> None:
    """Make the share links worthless; done when there are none."""
    environment = await get_environment(call.work, call.project.id, call.path["environment"])
    await delete_share_link(call.platform, call.work, environment)
    call.note(environment.id, name=environment.name)


@router.operation("environments.delete")
async def delete(call: Call) -> None:
    """Delete an environment and all that runs in it."""
    environment = await get_environment(call.work, call.project.id, call.path["environment"])
    call.note(environment.id, name=environment.name)
    await delete_environment(call.platform, call.work, environment)


def _shown(row: EnvironmentRow) -> Environment:
    return Environment(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        kind=EnvironmentKind(row.kind),
        sleeps_after=row.sleeps_after,
        sleep=Sleep(row.sleep).value,
        last_asked_at=row.last_asked_at,
        protection=cast("Protection", row.protection),
        has_share_link=bool(row.share_secret),
        created_at=row.created_at,
    )


def _key(row: EnvironmentRow) -> tuple[bool, str]:
    return (row.kind != EnvironmentKind.PRODUCTION.value, row.name)
