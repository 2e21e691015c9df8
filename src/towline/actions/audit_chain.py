"""The chain of the audit log: entries numbered in commit order, each hash over the one before, so that a change shows.

The hash of an entry is SHA-256 over the hash before it (32 zero bytes before the first) and its canonical JSON: the
fields of `canonical_entry`, keys sorted, no spaces, UTF-8. One conductor at a time chains, so writers never wait.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, Literal

import orjson
from sqlalchemy import RowMapping, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import SYSTEM
from towline.actions.audit import record
from towline.actions.platform import Platform
from towline.actions.sealed_columns import audit_mark_context
from towline.errors import KeyMismatch
from towline.infra.database import Work
from towline.infra.reads import Read
from towline.models.base import utc_now
from towline.models.history import AuditEntry, AuditMark

Fields = RowMapping | Mapping[str, Any]

FIRST_HASH: Final = bytes(32)
_LOCK: Final = 7_420_006
_BATCH: Final = 500
_TRIMMED_AT_ONCE: Final = 20_000
_FIELDS: Final = (
    "sequence",
    "project_id",
    "actor_id",
    "via",
    "key_id",
    "session_id",
    "address",
    "action",
    "object_id",
    "outcome",
    "detail",
    "before",
    "after",
)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain (or where its kept part begins): the number and hash of an entry, and when it was marked."""

    sequence: int = 0
    hash: bytes = FIRST_HASH
    marked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the whole chain found; `broken` is the number of the first entry that is not as it was written."""

    start: Head
    head: Head
    entries: int
    waiting: int
    broken: int | None = None
    reason: str = ""


def canonical_entry(fields: Fields) -> bytes:
    """The text of an entry that its hash is made over; its time in UTC with microseconds."""
    at: datetime = fields["created_at"]
    content = {name: fields[name] for name in _FIELDS}
    content["at"] = at.astimezone(UTC).isoformat(timespec="microseconds")
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def chain_hash(before: bytes, fields: Fields) -> bytes:
    """The hash of an entry behind another."""
    return hashlib.sha256(before + canonical_entry(fields)).digest()


async def chain_entries(platform: Platform) -> int:
    """Number and chain what is committed and not chained yet; how many entries that were."""
    is_unnumbered = AuditEntry.sequence.is_(None)
    if not await _first_unnumbered().fetch(platform.database):
        return 0
    async with platform.database.transaction() as work:
        await _lock(work)
        query = select(AuditEntry).where(is_unnumbered).order_by(AuditEntry.id).limit(_BATCH)
        entries = (await work.session.execute(query.with_only_columns(*AuditEntry.__table__.columns))).mappings().all()
        head = await _read_mark(platform, work.session, "head")
        rows: list[dict[str, Any]] = []
        for number, entry in enumerate(entries, start=head.sequence + 1):
            head = Head(number, chain_hash(head.hash, {**entry, "sequence": number}))
            rows.append({"id": entry["id"], "sequence": number, "hash": head.hash})
        if rows:
            await work.session.execute(update(AuditEntry), rows)
            await _write_mark(platform, work, "head", head)
    return len(entries)


@cache
def _first_unnumbered() -> Read:
    return Read(select(AuditEntry.id).where(AuditEntry.sequence.is_(None)).limit(1))


async def chain_all(platform: Platform) -> None:
    """Chain until nothing waits."""
    while await chain_entries(platform) == _BATCH:
        pass


async def get_head(platform: Platform, session: AsyncSession) -> Head:
    """The newest entry of the chain: who keeps its hash elsewhere can tell later whether anything before it changed."""
    return await _read_mark(platform, session, "head")


async def verify_chain(platform: Platform, session: AsyncSession, *, known: Head | None = None) -> Verdict:
    """Read every entry and compare; `known` is a head that was kept elsewhere. Needs a snapshot of its own to be exact.

    What can be found: entries changed, removed or put in between, the newest ones removed, and a beginning that was cut
    off by other means than the time that entries are kept.
    """
    waiting = await session.scalar(select(func.count()).where(AuditEntry.sequence.is_(None))) or 0
    try:
        start, head = await _read_mark(platform, session, "start"), await _read_mark(platform, session, "head")
    except KeyMismatch:
        reason = "A mark of the chain was changed, so that its beginning or end is not known."
        return Verdict(Head(), Head(), 0, waiting, broken=0, reason=reason)
    last, count, reason = start, 0, ""
    async for entry in _stream_chained(session, after=0):
        reason = _fault(entry, last, known)
        if reason:
            break
        last, count = Head(entry["sequence"], entry["hash"]), count + 1
    reason = reason or _fault_of_end(last, head, known)
    broken = min(last.sequence, head.sequence) + 1 if reason else None
    return Verdict(start, head, count, waiting, broken=broken, reason=reason)


async def trim_audit(platform: Platform) -> int:
    """Forget entries older than the settings say; how many. The mark they leave lets the rest be verified."""
    days = platform.settings.kept_audit_days
    if days <= 0:
        return 0
    async with platform.database.transaction() as work:
        await _lock(work)
        start, head = (
            await _read_mark(platform, work.session, "start"),
            await _read_mark(platform, work.session, "head"),
        )
        kept = select(func.min(AuditEntry.sequence)).where(AuditEntry.created_at >= utc_now() - timedelta(days=days))
        first_kept = await work.session.scalar(kept) or head.sequence
        last = min(first_kept - 1, start.sequence + _TRIMMED_AT_ONCE)
        if last <= start.sequence:
            return 0
        found = await work.session.scalar(select(AuditEntry.hash).where(AuditEntry.sequence == last))
        if found is None:
            return 0  # the chain is broken there; nobody may make that look like a beginning
        await _write_mark(platform, work, "start", Head(last, found))
        await work.session.execute(text("SELECT set_config('towline.trims_audit', 'on', true)"))
        await work.session.execute(delete(AuditEntry).where(AuditEntry.sequence <= last))
        await work.session.execute(text("SELECT set_config('towline.trims_audit', 'off', true)"))
        count = last - start.sequence
        record(work, SYSTEM, "audit.trim", detail={"through": last, "hash": found.hex(), "entries": count})
    return count


def _fault(entry: Fields, last: Head, known: Head | None) -> str:
    if entry["sequence"] != last.sequence + 1:
        return f"Entry {last.sequence + 1} is missing."
    if entry["hash"] != chain_hash(last.hash, entry):
        return f"Entry {entry['sequence']} is not as it was written, or one before it is not."
    if known is not None and known.sequence == entry["sequence"] and known.hash != entry["hash"]:
        return f"Entry {known.sequence} has another hash than the one that was kept elsewhere."
    return ""


def _fault_of_end(last: Head, head: Head, known: Head | None) -> str:
    if last.sequence < head.sequence:
        return f"Entries {last.sequence + 1} to {head.sequence} are missing."
    if last.sequence > head.sequence:
        return f"Entries after {head.sequence} were not written by Towline."
    if last.hash != head.hash:
        return "The chain holds together, but it is not the one that was written: all of it may be made up."
    if known is not None and known.sequence > last.sequence:
        return f"The head that was kept elsewhere is entry {known.sequence}, which is missing."
    return ""


async def _stream_chained(session: AsyncSession, *, after: int) -> AsyncIterator[RowMapping]:
    while True:
        query = select(*AuditEntry.__table__.columns).where(AuditEntry.sequence > after)
        rows = (await session.execute(query.order_by(AuditEntry.sequence).limit(_BATCH))).mappings().all()
        for row in rows:
            yield row
        if len(rows) < _BATCH:
            return
        after = rows[-1]["sequence"]


async def _lock(work: Work) -> None:
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def _read_mark(platform: Platform, session: AsyncSession, kind: Literal["start", "head"]) -> Head:
    query = select(AuditMark).where(AuditMark.kind == kind).execution_options(populate_existing=True)
    mark = (await session.scalars(query)).one_or_none()
    if mark is None:
        return Head()
    return Head(mark.sequence, platform.secrets.open(mark.hash, context=audit_mark_context(mark)), mark.marked_at)


async def _write_mark(platform: Platform, work: Work, kind: Literal["start", "head"], head: Head) -> None:
    mark = AuditMark(kind=kind, sequence=head.sequence)
    values = {
        "sequence": head.sequence,
        "hash": platform.secrets.seal(head.hash, context=audit_mark_context(mark)),
        "marked_at": utc_now(),
    }
    statement = insert(AuditMark).values(kind=kind, **values)
    await work.session.execute(statement.on_conflict_do_update(index_elements=["kind"], set_=values))
