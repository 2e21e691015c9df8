"""HTTP: the caller's API keys."""

from datetime import datetime

from towline.actions.access import Permission
from towline.actions.keys import create_key, list_keys, revoke_key
from towline.contract.base import PageQuery
from towline.contract.keys import Key, KeyCreate, KeyList, NewKey
from towline.models.accounts import ApiKey
from towline.web.cursors import decode_cursor, decode_time, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("keys.list")
async def list_(call: Call, query: PageQuery) -> KeyList:
    """The caller's keys, newest first."""
    key = decode_cursor(query.cursor, str, str)
    after = (decode_time(key[0]), str(key[1])) if key is not None else None
    found = await list_keys(call.session, call.caller, after=after, limit=query.limit + 1)
    page = page_of(list(found), limit=query.limit, key=_key)
    return KeyList(items=[_shown(row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("keys.create")
async def create(call: Call, body: KeyCreate) -> NewKey:
    """A new key; its value is shown this once."""
    project = None
    if body.project is not None:
        project = await call.get_project(body.project, permission=Permission.VIEW_PROJECTS)
    made = await create_key(
        call.work,
        call.caller,
        name=body.name,
        scopes=body.scopes,
        project_id=project.id if project is not None else None,
        expires_at=body.expires_at,
    )
    call.note(made.key.id, name=body.name, scopes=made.key.scopes)
    return NewKey(**_shown(made.key).model_dump(), value=made.value)


@router.operation("keys.delete")
async def delete(call: Call) -> None:
    """Revoke a key, at once."""
    key = await revoke_key(call.work, call.caller, call.path["key"])
    call.note(key.id, name=key.name)


def _shown(row: ApiKey) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        project_id=row.project_id,
        scopes=row.scopes,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        created_at=row.created_at,
    )


def _key(row: ApiKey) -> tuple[datetime, str]:
    return (row.created_at, row.id)
