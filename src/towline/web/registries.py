"""HTTP: credentials for image registries."""

from sqlalchemy import ColumnElement, false, or_, select

from towline.actions.access import Permission
from towline.actions.registries import create_registry, find_registry, list_registries
from towline.contract.registries import Registry, RegistryCreate, RegistryList, RegistryQuery
from towline.errors import NotFound
from towline.models.deployments import Registry as RegistryRow
from towline.models.projects import Project
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("registries.list")
async def list_(call: Call, query: RegistryQuery) -> RegistryList:
    """Registries: what one project uses, or those of every project the caller manages."""
    key = decode_cursor(query.cursor, str, str)
    after = (str(key[0]), str(key[1])) if key is not None else None
    condition = await _condition(call, query.project)
    found = await list_registries(call.session, condition, after=after, limit=query.limit + 1)
    page = page_of(list(found), limit=query.limit, key=_key)
    return RegistryList(items=[_shown(row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("registries.create")
async def create(call: Call, body: RegistryCreate) -> Registry:
    """Store credentials, for one project or (administrators) for all."""
    if body.project is None:
        call.require(Permission.ADMINISTER)
    else:
        await call.get_project(body.project)
    row = await create_registry(
        call.platform,
        call.work,
        project_id=None if body.project is None else call.project.id,
        host=body.host,
        username=body.username,
        password=body.password,
    )
    call.note(row.id, host=row.host)
    return _shown(row)


@router.operation("registries.delete")
async def delete(call: Call) -> None:
    """Delete credentials."""
    row = await find_registry(call.session, call.path["registry"])
    try:
        if row is not None and row.project_id is None:
            call.require(Permission.ADMINISTER)
        else:
            await call.get_project("" if row is None or row.project_id is None else row.project_id)
    except NotFound as error:
        raise NotFound("There are no such registry credentials, or you may not see them.") from error
    assert row is not None
    call.note(row.id, host=row.host)
    await call.session.delete(row)


async def _condition(call: Call, project: str | None) -> ColumnElement[bool]:
    if project is not None:
        found = await call.get_project(project)
        return or_(RegistryRow.project_id == found.id, RegistryRow.project_id.is_(None))
    of_projects = RegistryRow.project_id.in_(select(Project.id).where(call.permitted_projects()))
    sees_all = call.caller.is_administrator and call.caller.project_id is None
    return or_(of_projects, RegistryRow.project_id.is_(None) if sees_all else false())


def _shown(row: RegistryRow) -> Registry:
    return Registry(
        id=row.id, host=row.host, project_id=row.project_id, username=row.username, created_at=row.created_at
    )


def _key(row: RegistryRow) -> tuple[str, str]:
    return (row.host, row.id)
