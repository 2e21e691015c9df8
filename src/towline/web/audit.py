"""HTTP: the audit log."""

from collections.abc import AsyncGenerator
from typing import Literal, cast

from sqlalchemy import text
from starlette.responses import Response, StreamingResponse

from towline.actions.access import Permission
from towline.actions.audit import EntryChoice, export_entries, list_entries
from towline.actions.audit_chain import Head, get_head, verify_chain
from towline.actions.platform import Platform
from towline.contract.audit import (
    AuditEntry,
    AuditFilter,
    AuditHead,
    AuditList,
    AuditQuery,
    AuditVerdict,
    AuditVerifyQuery,
)
from towline.contract.logs import NDJSON_MEDIA_TYPE
from towline.errors import InvalidInput
from towline.models.history import AuditEntry as EntryRow
from towline.web.cursors import decode_cursor, page_of
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()
_SNAPSHOT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


@router.operation("audit.list")
async def list_(call: Call, query: AuditQuery) -> AuditList:
    """Changes and refused attempts, newest first: of one project, or (administrators) of all."""
    key = decode_cursor(query.cursor, int)
    choice = await _choice(call, query)
    before = int(key[0]) if key is not None else None
    found = await list_entries(call.session, choice, before=before, limit=query.limit + 1)
    page = page_of(list(found), limit=query.limit, key=_key)
    return AuditList(items=[_shown(row) for row in page["items"]], next_cursor=page["next_cursor"])


@router.operation("audit.export")
async def export(call: Call, query: AuditFilter) -> Response:
    """All entries that fit, oldest first, as lines of JSON."""
    choice = await _choice(call, query)
    headers = {"Content-Disposition": 'attachment; filename="audit.ndjson"', "X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(call.platform, choice), media_type=NDJSON_MEDIA_TYPE, headers=headers)


@router.operation("audit.head")
async def head(call: Call) -> AuditHead:
    """The newest entry of the chain."""
    return _shown_head(await get_head(call.platform, call.session))


@router.operation("audit.verify", holds_transaction=False)
async def verify(call: Call, query: AuditVerifyQuery) -> AuditVerdict:
    """Whether every entry of the log is as it was written."""
    if (query.sequence is None) != (query.hash is None):
        raise InvalidInput("sequence and hash of a kept head belong together.", field="hash")
    known = None if query.sequence is None else Head(query.sequence, bytes.fromhex(query.hash or ""))
    async with call.platform.database.transaction() as work:
        await work.session.execute(_SNAPSHOT)
        verdict = await verify_chain(call.platform, work.session, known=known)
    return AuditVerdict(
        is_intact=verdict.broken is None,
        entries=verdict.entries,
        first=verdict.start.sequence + 1,
        head=_shown_head(verdict.head),
        waiting=verdict.waiting,
        broken=verdict.broken,
        reason=verdict.reason,
    )


async def _choice(call: Call, query: AuditFilter) -> EntryChoice:
    """What is wanted, once it is clear that the caller may have it."""
    if query.project is None:
        call.require(Permission.ADMINISTER)
    else:
        await call.get_project(query.project)
    return EntryChoice(
        project_id=call.project.id if query.project is not None else None,
        actor_id=query.actor,
        action=query.action,
        object_id=query.object,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
    )


async def _lines(platform: Platform, choice: EntryChoice) -> AsyncGenerator[bytes]:
    async for entries in export_entries(platform, choice):
        yield b"".join(_shown(row).model_dump_json().encode() + b"\n" for row in entries)


def _shown(row: EntryRow) -> AuditEntry:
    return AuditEntry.model_construct(
        id=row.id,
        sequence=row.sequence,
        at=row.created_at,
        action=row.action,
        outcome=cast('Literal["allowed", "refused"]', row.outcome),
        actor_id=row.actor_id,
        via=row.via,
        key_id=row.key_id,
        session_id=row.session_id,
        address=row.address,
        project_id=row.project_id,
        object_id=row.object_id,
        detail=row.detail,
        before=row.before,
        after=row.after,
        hash=row.hash.hex() if row.hash is not None else "",
    )


def _shown_head(head: Head) -> AuditHead:
    return AuditHead(sequence=head.sequence, hash=head.hash.hex(), at=head.marked_at)


def _key(row: EntryRow) -> tuple[int]:
    return (row.id,)
