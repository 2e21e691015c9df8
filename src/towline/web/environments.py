"""HTTP: environments of a project."""

from towline.actions.deletion import delete_environment
from towline.actions.environments import create_environment, get_environment, list_environments
from towline.contract.base import PageQuery
from towline.contract.environments import Environment, EnvironmentCreate, EnvironmentList
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
    found = await list_environments(call.session, call.project.id, after=after, limit=query.limit + 1)
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
        created_at=row.created_at,
    )


def _key(row: EnvironmentRow) -> tuple[bool, str]:
    return (row.kind != EnvironmentKind.PRODUCTION.value, row.name)
