"""HTTP: API keys."""

from datetime import datetime

from sqlalchemy import ColumnElement, select, true

from towline.actions.access import Permission
from towline.actions.keys import KeyRights, create_key, list_keys, revoke_key
from towline.contract.keys import Key, KeyCreate, KeyList, KeyQuery, NewKey
from towline.models.accounts import ApiKey, User
from towline.web.cursors import decode_cursor, decode_time, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()
_EVERYBODY = "*"


@router.operation("keys.list")
async def list_(call: Call, query: KeyQuery) -> KeyList:
    """Keys, newest first: the caller's own, or (administrators) those of a user or of everybody."""
    key = decode_cursor(query.cursor, str, str)
    after = (decode_time(key[0]), str(key[1])) if key is not None else None
    condition = None
    if query.user is not None and query.user not in {call.caller.user_id, call.caller.email}:
        call.require(Permission.ADMINISTER)
        condition = _of_user(query.user)
    found = await list_keys(call.session, call.caller, after=after, limit=query.limit + 1, condition=condition)
    page = page_of(list(found), limit=query.limit, key=_key)
    return KeyList(items=[_shown(row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("keys.create")
async def create(call: Call, body: KeyCreate) -> NewKey:
    """A new key; its value is shown this once."""
    project = None
    if body.project is not None:
        project = await call.get_project(body.project, permission=Permission.VIEW_PROJECTS)
    rights = KeyRights(
        scopes=body.scopes,
        project_id=project.id if project is not None else None,
        expires_at=body.expires_at,
        addresses=body.addresses,
    )
    made = await create_key(call.work, call.caller, name=body.name, rights=rights)
    shown = _shown(made.key)
    call.note(shown.id, **shown.model_dump(mode="json", include=_TOLD))
    return NewKey(**shown.model_dump(), value=made.value)


@router.operation("keys.delete")
async def delete(call: Call) -> None:
    """Revoke a key with all keys it made, at once."""
    key, others = await revoke_key(call.platform, call.work, call.caller, key_id=call.path["key"])
    call.note(key.id, name=key.name, user_id=key.user_id, ended_with_it=others)


_TOLD = {"name", "user_id", "parent_id", "scopes", "addresses", "expires_at", "project_id"}


def _of_user(reference: str) -> ColumnElement[bool]:
    if reference == _EVERYBODY:
        return true()
    is_meant = (User.id == reference) | (User.email == reference.lower())
    return ApiKey.user_id.in_(select(User.id).where(is_meant))


def _shown(row: ApiKey) -> Key:
    return Key(
        id=row.id,
        user_id=row.user_id,
        parent_id=row.parent_id,
        name=row.name,
        prefix=row.prefix,
        project_id=row.project_id,
        scopes=row.scopes,
        addresses=row.addresses,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        last_used_address=row.last_used_address,
        created_at=row.created_at,
    )


def _key(row: ApiKey) -> tuple[datetime, str]:
    return (row.created_at, row.id)
