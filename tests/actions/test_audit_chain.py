"""The chain of the audit log: numbered in commit order, and telling of every kind of change to it."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from towline.actions.access import SYSTEM, Caller
from towline.actions.audit import record
from towline.actions.audit_chain import FIRST_HASH, Head, Verdict, chain_all, get_head, trim_audit, verify_chain
from towline.actions.platform import Platform
from towline.actions.sealed_columns import audit_mark_context
from towline.models.base import utc_now
from towline.models.history import AuditEntry, AuditMark

_ANN = Caller(user_id="usr_ann", key_id="key_1", address="203.0.113.9")


async def _write(platform: Platform, count: int, *, days_ago: int = 0) -> None:
    async with platform.database.transaction() as work:
        for number in range(count):
            detail = {"number": number, "share": 0.1, "name": "Zoë", "nested": {"b": [1, None], "a": True}}
            record(work, _ANN, "services.scale", object_id="svc_1", detail=detail, before={"x": 1}, after={"x": 2})
        await work.session.flush()
        for entry in work.session.new:
            assert isinstance(entry, AuditEntry)
    if days_ago:
        await _tamper(platform, update(AuditEntry).values(created_at=utc_now() - timedelta(days=days_ago)))


async def _tamper(platform: Platform, *statements: Any) -> None:
    """What somebody with all rights in the database could do."""
    async with platform.database.transaction() as work:
        await work.session.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER keep_audit_entries"))
        for statement in statements:
            await work.session.execute(statement)
        await work.session.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER keep_audit_entries"))


async def _verify(platform: Platform, known: Head | None = None) -> Verdict:
    async with platform.database.transaction() as work:
        return await verify_chain(platform, work.session, known=known)


async def _head(platform: Platform) -> Head:
    async with platform.database.transaction() as work:
        return await get_head(platform, work.session)


async def _entries(platform: Platform) -> list[AuditEntry]:
    async with platform.database.transaction() as work:
        return list(await work.session.scalars(select(AuditEntry).order_by(AuditEntry.sequence)))


async def test_entries_are_chained_in_the_order_in_which_they_were_committed(platform: Platform) -> None:
    async with platform.database.transaction() as late:
        record(late, _ANN, "first.written")
        await late.session.flush()
        await _write(platform, 2)
        await chain_all(platform)
    await _write(platform, 600)
    await chain_all(platform)
    entries = await _entries(platform)
    assert [entry.sequence for entry in entries] == list(range(1, 604))
    assert [entry.action for entry in entries].index("first.written") == 2
    verdict = await _verify(platform)
    assert (verdict.broken, verdict.entries, verdict.waiting) == (None, 603, 0)
    assert verdict.head.hash == entries[-1].hash


async def test_anyone_can_compute_the_hashes_from_what_is_documented(platform: Platform) -> None:
    await _write(platform, 2)
    await chain_all(platform)
    before = FIRST_HASH
    for entry in await _entries(platform):
        shown = {
            name: getattr(entry, name)
            for name in (
                *("sequence", "project_id", "actor_id", "via", "key_id", "session_id", "address", "action"),
                *("object_id", "outcome", "detail", "before", "after"),
            )
        }
        shown["at"] = entry.created_at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
        canonical = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        before = hashlib.sha256(before + canonical.encode()).digest()
        assert entry.hash == before


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (update(AuditEntry).where(AuditEntry.sequence == 3).values(actor_id="usr_eve"), 3),
        (update(AuditEntry).where(AuditEntry.sequence == 3).values(outcome="refused"), 3),
        (update(AuditEntry).where(AuditEntry.sequence == 3).values(detail={"number": 9}), 3),
        (update(AuditEntry).where(AuditEntry.sequence == 3).values(created_at=utc_now()), 3),
        (update(AuditEntry).where(AuditEntry.sequence == 3).values(hash=bytes(32)), 3),
        (delete(AuditEntry).where(AuditEntry.sequence == 3), 3),
        (delete(AuditEntry).where(AuditEntry.sequence == 1), 1),
        (delete(AuditEntry).where(AuditEntry.sequence >= 4), 4),
        (delete(AuditEntry), 1),
        (update(AuditMark).where(AuditMark.kind == "head").values(sequence=4), 0),
        (delete(AuditMark), 1),
    ],
)
async def test_every_change_is_found_at_the_first_entry_it_touches(
    platform: Platform, change: Any, broken: int
) -> None:
    await _write(platform, 5)
    await chain_all(platform)
    await _tamper(platform, change)
    verdict = await _verify(platform)
    assert verdict.broken == broken
    assert verdict.reason


async def test_a_chain_made_up_anew_ends_elsewhere_than_the_sealed_mark_and_the_head_that_was_kept(
    platform: Platform,
) -> None:
    await _write(platform, 3)
    await chain_all(platform)
    kept = await _head(platform)
    await _tamper(platform, update(AuditEntry).values(actor_id="usr_eve", sequence=None, hash=None), delete(AuditMark))
    await chain_all(platform)
    await _write(platform, 1)
    await chain_all(platform)
    assert (await _verify(platform)).broken is None, "by itself the log cannot know: so keep its head elsewhere"
    assert "has another hash" in (await _verify(platform, kept)).reason
    assert "which is missing" in (await _verify(platform, Head(9, kept.hash))).reason


async def test_who_can_only_write_to_the_database_cannot_make_the_end_look_right(platform: Platform) -> None:
    await _write(platform, 3)
    await chain_all(platform)
    entries = await _entries(platform)
    mark = AuditMark(kind="head", sequence=2)
    sealed_elsewhere = platform.secrets.seal(entries[1].hash or b"", context=audit_mark_context(mark) + "x")
    values = {"sequence": 2, "hash": sealed_elsewhere}
    await _tamper(platform, delete(AuditEntry).where(AuditEntry.sequence == 3), update(AuditMark).values(values))
    assert (await _verify(platform)).broken == 0


async def test_entries_are_neither_changed_nor_deleted_by_a_plain_statement(platform: Platform) -> None:
    await _write(platform, 1)
    await chain_all(platform)
    for statement in (
        update(AuditEntry).values(actor_id="usr_eve"),
        update(AuditEntry).values(sequence=None, hash=None),
        delete(AuditEntry),
    ):
        with pytest.raises(DBAPIError, match="neither changed nor deleted"):
            await _run(platform, statement)
    assert (await _verify(platform)).broken is None


async def test_old_entries_are_forgotten_and_the_rest_still_verifies(platform: Platform) -> None:
    await _write(platform, 4, days_ago=400)
    await chain_all(platform)
    await _write(platform, 3)
    await chain_all(platform)
    assert await trim_audit(platform) == 4
    assert await trim_audit(platform) == 0
    await chain_all(platform)
    entries = await _entries(platform)
    assert [entry.sequence for entry in entries] == [5, 6, 7, 8]
    assert (entries[-1].action, entries[-1].actor_id, entries[-1].via) == ("audit.trim", SYSTEM.user_id, "system")
    assert entries[-1].detail["through"] == 4
    verdict = await _verify(platform)
    assert (verdict.broken, verdict.start.sequence, verdict.entries) == (None, 4, 4)
    await _tamper(platform, delete(AuditEntry).where(AuditEntry.sequence == 5))
    assert (await _verify(platform)).broken == 5


async def test_an_entry_put_in_later_waits_at_the_end_and_not_in_between(platform: Platform) -> None:
    await _write(platform, 2)
    await chain_all(platform)
    made_up = dict.fromkeys(("project_id", "actor_id", "via", "key_id", "session_id", "address", "object_id"), "")
    made_up |= {"action": "made.up", "outcome": "allowed"}
    rows: dict[str, Any] = {**made_up, "detail": {}, "before": {}, "after": {}, "created_at": utc_now()}
    await _run(platform, insert(AuditEntry).values(rows))
    assert (await _verify(platform)).waiting == 1
    await _run(platform, insert(AuditEntry).values({**rows, "sequence": 3, "hash": bytes(32)}))
    assert (await _verify(platform)).broken == 3


async def test_chaining_takes_no_lock_that_writers_wait_for(platform: Platform) -> None:
    async with platform.database.transaction() as open_one:
        record(open_one, _ANN, "still.open")
        await open_one.session.flush()
        await _write(platform, 1)
        await chain_all(platform)
        async with platform.database.transaction() as work:
            chained = select(func.count()).where(AuditEntry.sequence.is_not(None))
            assert await work.session.scalar(chained) == 1


async def _run(platform: Platform, statement: Any) -> None:
    async with platform.database.transaction() as work:
        await work.session.execute(statement)
