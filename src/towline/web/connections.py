"""HTTP: credentials for git platforms, and what they reach."""

from typing import Final, cast

from sqlalchemy import ColumnElement, false, or_, select

from towline.actions.access import Permission
from towline.actions.connections.administration import (
    NewConnection,
    create_connection,
    find_row,
    get_host_api,
    list_connections,
)
from towline.actions.connections.browsing import list_branches, list_repositories
from towline.actions.connections.calling import api_address
from towline.actions.platform import Platform
from towline.contract.connections import (
    BranchQuery,
    Connection,
    ConnectionCreate,
    ConnectionList,
    ConnectionQuery,
    RemoteBranch,
    RemoteBranchList,
    RemotePageQuery,
    RemoteRepository,
    RemoteRepositoryList,
)
from towline.contract.connections import Platform as PlatformKind
from towline.errors import NotFound
from towline.models.connections import Connection as ConnectionRow
from towline.models.projects import Project
from towline.web.cursors import decode_cursor, encode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()
_LAST_PAGE: Final = 10_000
_NONE: Final = "There is no such connection, or you may not see it."


@router.operation("connections.list")
async def list_(call: Call, query: ConnectionQuery) -> ConnectionList:
    """Connections: what one project uses, or those of every project the caller manages."""
    key = decode_cursor(query.cursor, str, str)
    after = (str(key[0]), str(key[1])) if key is not None else None
    condition = await _condition(call, query.project)
    found = await list_connections(call.session, condition, after=after, limit=query.limit + 1)
    page = page_of(list(found), limit=query.limit, key=_key)
    return ConnectionList(items=[_shown(call.platform, row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("connections.create")
async def create(call: Call, body: ConnectionCreate) -> Connection:
    """Store a credential, for one project or (administrators) for all."""
    if body.project is None:
        call.require(Permission.ADMINISTER)
    else:
        await call.get_project(body.project)
    row = await create_connection(
        call.platform,
        call.work,
        call.caller,
        project_id=None if body.project is None else call.project.id,
        new=NewConnection(
            kind=body.platform,
            secret=body.secret,
            host=body.host or "",
            owner=body.owner,
            username=body.username,
            app_id=body.app_id,
            api_url=body.api_url,
        ),
    )
    call.note(row.id, host=row.host, owner=row.owner)
    return _shown(call.platform, row)


@router.operation("connections.delete")
async def delete(call: Call) -> None:
    """Delete a credential."""
    row = await find_row(call.session, call.path["connection"])
    try:
        if row is not None and row.project_id is None:
            call.require(Permission.ADMINISTER)
        else:
            await call.get_project("" if row is None or row.project_id is None else row.project_id)
    except NotFound as error:
        raise NotFound(_NONE) from error
    assert row is not None
    call.note(row.id, host=row.host, owner=row.owner)
    await call.session.delete(row)


@router.operation("connections.listRepositories", holds_transaction=False)
async def repositories(call: Call, query: RemotePageQuery) -> RemoteRepositoryList:
    """Ask the platform, without a transaction meanwhile."""
    row, page = await _read(call), _page(query)
    found, has_more = await list_repositories(call.platform, row, page=page)
    items = [RemoteRepository(name=one.name, url=one.url, default_branch=one.default_branch) for one in found]
    return RemoteRepositoryList(items=items, next_cursor=encode_cursor(page + 1) if has_more else None)


@router.operation("connections.listBranches", holds_transaction=False)
async def branches(call: Call, query: BranchQuery) -> RemoteBranchList:
    """Ask the platform, without a transaction meanwhile."""
    row, page = await _read(call), _page(query)
    found, has_more = await list_branches(call.platform, row, repository=query.repository, page=page)
    items = [RemoteBranch(name=name) for name in found]
    return RemoteBranchList(items=items, next_cursor=encode_cursor(page + 1) if has_more else None)


async def _read(call: Call) -> ConnectionRow:
    """A connection that the project uses: its own, or one of the whole instance."""
    async with call.platform.database.transaction() as work:
        row = await find_row(work.session, call.path["connection"])
    if row is None or row.project_id not in {None, call.found_project_id}:
        raise NotFound(_NONE)
    return row


async def _condition(call: Call, project: str | None) -> ColumnElement[bool]:
    if project is not None:
        found = await call.get_project(project)
        return or_(ConnectionRow.project_id == found.id, ConnectionRow.project_id.is_(None))
    of_projects = ConnectionRow.project_id.in_(select(Project.id).where(call.permitted_projects()))
    sees_all = call.caller.is_administrator and call.caller.project_id is None
    return or_(of_projects, ConnectionRow.project_id.is_(None) if sees_all else false())


def _page(query: RemotePageQuery) -> int:
    key = decode_cursor(query.cursor, int)
    return 1 if key is None else max(1, min(int(key[0]), _LAST_PAGE))


def _shown(platform: Platform, row: ConnectionRow) -> Connection:
    return Connection(
        id=row.id,
        platform=cast("PlatformKind", row.kind),
        host=row.host,
        project_id=row.project_id,
        owner=row.owner,
        username=row.username,
        app_id=row.app_id,
        api_url=api_address(get_host_api(platform, row.kind), row),
        created_at=row.created_at,
    )


def _key(row: ConnectionRow) -> tuple[str, str]:
    return (row.host, row.id)
