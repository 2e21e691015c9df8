"""What a transaction changes, field by field, for the audit log: read from the session's own flushes."""

import decimal
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstanceState

from towline.models.base import Row

CHANGED: Final = "changed"
"""What stands for a secret, before and after."""

_UNTOLD: Final = frozenset({"updated_at", "last_used_at", "last_used_address", "next_deployment_number"})
_SECRET_WORDS: Final = ("password", "secret", "token", "credential", "hash", "private", "api_key", "apikey")
_LONGEST_TEXT: Final = 500
_MOST_FIELDS: Final = 100
_ABSENT: Final = object()


@dataclass
class _Field:
    table: str
    row_id: str
    name: str
    before: Any
    after: Any


@dataclass
class Changes:
    """The changed fields of rows that were there before; what is new or deleted needs no such list."""

    _fields: dict[tuple[str, str, str], _Field] = field(default_factory=dict[tuple[str, str, str], _Field])

    def told(self, object_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Before and after: fields of the object itself by their name, others with their table (and row) before it."""
        before, after = dict[str, Any](), dict[str, Any]()
        for item in list(self._fields.values())[:_MOST_FIELDS]:
            was, now = _told(item.name, item.before, item.after)
            if was is not _ABSENT or now is not _ABSENT:
                name = self._name(item, object_id)
                before[name], after[name] = was, now
        return before, after

    def note_flush(self, *arguments: Any) -> None:
        """Called by the session before each flush."""
        session = arguments[0]
        for row in session.dirty:
            if isinstance(row, Row):
                self._note(inspect(row))

    def _note(self, state: InstanceState[Row]) -> None:
        table, row_id = str(state.mapper.local_table), "/".join(str(part) for part in state.identity or ())
        for attribute in state.mapper.column_attrs:
            history = state.attrs[attribute.key].history
            if attribute.key in _UNTOLD or not history.has_changes():
                continue
            before, after = (values[0] if values else None for values in (history.deleted, history.added))
            first = _Field(table, row_id, attribute.key, before, after)
            self._fields.setdefault((table, row_id, attribute.key), first).after = after

    def _name(self, item: _Field, object_id: str) -> str:
        if item.row_id == object_id:
            return item.name
        rows = {other.row_id for other in self._fields.values() if other.table == item.table}
        return f"{item.table}.{item.name}" if len(rows) == 1 else f"{item.table}.{item.row_id}.{item.name}"


def collect_changes(session: AsyncSession) -> Changes:
    """The changes of a session from now on; complete after its last flush."""
    changes = Changes()
    event.listen(session.sync_session, "before_flush", changes.note_flush)
    return changes


def _told(name: str, before: Any, after: Any) -> tuple[Any, Any]:
    """Two values as the log may show them: secrets only as changed, of objects only the keys that differ."""
    if before == after:
        return _ABSENT, _ABSENT
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _told_mappings(cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", after))
    if is_secret(name, before) or is_secret(name, after):
        return (CHANGED if before else None), (CHANGED if after else None)
    return _shown(before), _shown(after)


def _told_mappings(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Any, Any]:
    was, now = dict[str, Any](), dict[str, Any]()
    for key in sorted(before.keys() | after.keys()):
        one, other = _told(key, before.get(key), after.get(key))
        if one is not _ABSENT:
            was[key], now[key] = one, other
    return was, now


def is_secret(name: str, value: Any) -> bool:
    """Whether a field may hold a secret, by its name or by being sealed; a yes or no about one is none."""
    return isinstance(value, bytes) or (
        value is not None and not isinstance(value, bool) and any(word in name.lower() for word in _SECRET_WORDS)
    )


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta | decimal.Decimal):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: CHANGED if is_secret(key, item) else _shown(item) for key, item in items}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in cast("list[Any]", value)[:_MOST_FIELDS]]
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value
