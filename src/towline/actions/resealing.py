"""Rotation of the sealing key while everything runs: a new key, then every value sealed anew, then old keys go."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.platform import Platform
from towline.actions.sealed_columns import SEALED, SealedColumn, count_by_key
from towline.errors import KeyMismatch
from towline.infra.database import Work
from towline.models.base import utc_now

_BATCH: Final = 200
_GRACE: Final = timedelta(seconds=5)
_PAUSE: Final = timedelta(minutes=1)
_OLD_TRANSACTIONS: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend' AND xact_start < :moment"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeyUses:
    """A sealing key by its id in hex, and how many values need it; one that is not in the key file opens nothing."""

    key_id: str
    values: int
    is_current: bool
    is_in_file: bool


@dataclass(frozen=True, slots=True)
class Sealing:
    """How many values are sealed, and how many of them not as they would be now."""

    keys: Sequence[KeyUses]
    values: int
    remaining: int


async def get_sealing(platform: Platform, session: AsyncSession) -> Sealing:
    """Which keys there are, and what each is needed for."""
    found = await _count_all(platform, session)
    ids = [key.identifier.hex() for key in platform.secrets.list_keys()]
    current = found.pop("", 0)
    older = found.pop(ids[0], 0)
    keys = [KeyUses(ids[0], current + older, is_current=True, is_in_file=True)]
    keys += [KeyUses(key_id, found.pop(key_id, 0), is_current=False, is_in_file=True) for key_id in ids[1:]]
    keys += [KeyUses(key_id, count, is_current=False, is_in_file=False) for key_id, count in sorted(found.items())]
    remaining = older * (len(ids) > 1) + sum(key.values for key in keys if not key.is_current and key.is_in_file)
    return Sealing(keys, sum(key.values for key in keys), remaining)


async def rotate_key(platform: Platform) -> str:
    """Begin a rotation, unless one is going on: a fresh key in the file; its id, empty when there is none.

    From then on every process seals with it, and the conductor seals anew what the others have sealed.
    """
    keys = platform.secrets.list_keys()
    if len(keys) > 1:
        return ""
    await asyncio.to_thread(platform.secrets.file.add, instead_of=keys[0].identifier)
    return platform.secrets.active_key_id


class Resealing:
    """Brings a rotation to its end, however often it is interrupted; the conductor asks it every few seconds."""

    def __init__(self, platform: Platform, *, grace: timedelta = _GRACE) -> None:
        self._platform = platform
        self._grace = grace
        self._key_id = ""
        self._began_at: datetime | None = None
        self._not_before: datetime | None = None

    async def run(self) -> None:
        """One round: seal anew what older keys sealed, and drop those that nothing needs any more."""
        box = self._platform.secrets
        if len(box.list_keys()) == 1 or (self._not_before is not None and utc_now() < self._not_before):
            return
        began_at = await self._begin()
        counts = [await self._reseal(column) for column in SEALED]
        if await self._is_past(began_at) and not await self._drop_unused() and not any(counts):
            self._not_before = utc_now() + _PAUSE  # what is left opens with no key; look again when that was mended

    async def _begin(self) -> datetime:
        """The database's time when this process first saw the key that seals now."""
        if self._began_at is None or self._key_id != self._platform.secrets.active_key_id:
            self._key_id, self._not_before = self._platform.secrets.active_key_id, None
            async with self._platform.database.transaction() as work:
                self._began_at = await work.session.scalar(select(func.clock_timestamp()))
        assert self._began_at is not None
        return self._began_at

    async def _reseal(self, column: SealedColumn) -> int:
        """Seal all values of a column anew that an older key sealed; how many."""
        count, last = 0, None
        while True:
            async with self._platform.database.transaction() as work:
                last, done = await _reseal_batch(self._platform, work, column, after=last)
            count += done
            if last is None:
                return count

    async def _is_past(self, began_at: datetime) -> bool:
        """Whether no transaction can be open any more that sealed something with an older key."""
        async with self._platform.database.transaction() as work:
            now = await work.session.scalar(select(func.clock_timestamp()))
            moment = began_at + self._grace
            is_late = now is not None and now > moment
            return is_late and not await work.session.scalar(_OLD_TRANSACTIONS, {"moment": moment})

    async def _drop_unused(self) -> bool:
        """Take the keys out of the file that no value needs; whether only the one that seals is left."""
        box = self._platform.secrets
        async with self._platform.database.transaction() as work:
            needed = await _count_all(self._platform, work.session)
        others = [key for key in box.list_keys()[1:] if not needed[key.identifier.hex()]]
        if others:
            await asyncio.to_thread(box.file.drop, [key.identifier for key in others])
            _log.info("%d old sealing keys were dropped; nothing needs them.", len(others))
        return len(box.list_keys()) == 1


async def _reseal_batch(
    platform: Platform, work: Work, column: SealedColumn, *, after: Sequence[Any] | None
) -> tuple[Sequence[Any] | None, int]:
    """The key of the last row looked at (None when that was all), and how many values were sealed anew.

    What is locked just now is left to the next round.
    """
    keys = tuple(column.table.primary_key.columns)
    query = select(column.model).where(column.starts_with(tuple(platform.secrets.older_prefixes())))
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    rows = (await work.session.scalars(query.order_by(*keys).limit(_BATCH).with_for_update(skip_locked=True))).all()
    done = [await _reseal_row(platform, work, column, row) for row in rows]
    last = [getattr(rows[-1], key.name) for key in keys] if len(rows) == _BATCH else None
    return last, sum(done)


async def _reseal_row(platform: Platform, work: Work, column: SealedColumn, row: Any) -> bool:
    context = column.context(row)
    try:
        plain = platform.secrets.open(getattr(row, column.attribute.key), context=context)
    except KeyMismatch as error:
        _log.warning("A value of %s cannot be sealed anew: %s", column.name, error)
        return False
    keys = column.table.primary_key.columns
    kept = {item.name: item for item in column.table.columns if item.onupdate is not None}
    values = {**kept, column.attribute.key: platform.secrets.seal(plain, context=context)}
    place = [key == getattr(row, key.name) for key in keys]
    await work.session.execute(update(column.table).where(*place).values(values))
    return True


async def _count_all(platform: Platform, session: AsyncSession) -> Counter[str]:
    found = Counter[str]()
    for column in SEALED:
        found += await count_by_key(session, platform.secrets, column)
    return found
