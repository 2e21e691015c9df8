"""HTTP: the audit log."""

from typing import Literal, cast

from towline.actions.access import Permission
from towline.actions.audit import list_entries
from towline.contract.audit import AuditEntry, AuditList, AuditQuery
from towline.models.history import AuditEntry as EntryRow
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("audit.list")
async def list_(call: Call, query: AuditQuery) -> AuditList:
    """Changes and refused attempts, newest first: of one project, or (administrators) of all."""
    key = decode_cursor(query.cursor, int)
    if query.project is None:
        call.require(Permission.ADMINISTER)
    else:
        await call.get_project(query.project)
    project_id = call.project.id if query.project is not None else None
    before = int(key[0]) if key is not None else None
    found = await list_entries(call.session, project_id=project_id, before=before, limit=query.limit + 1)
    page = page_of(list(found), limit=query.limit, key=_key)
    return AuditList(items=[_shown(row) for row in page["items"]], next_cursor=page["next_cursor"])


def _shown(row: EntryRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.created_at,
        action=row.action,
        outcome=cast('Literal["allowed", "refused"]', row.outcome),
        actor_id=row.actor_id,
        key_id=row.key_id,
        address=row.address,
        project_id=row.project_id,
        object_id=row.object_id,
        detail=row.detail,
    )


def _key(row: EntryRow) -> tuple[int]:
    return (row.id,)
