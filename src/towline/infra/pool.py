"""The pool of connections to PostgreSQL, which gives back what the busiest moment of late did not need."""

import time
from typing import Any, ClassVar

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

_ALWAYS_KEPT = 2


class ShrinkingPool(AsyncAdaptedQueuePool):
    """Keeps as many connections as were in use at once within the last ten to twenty seconds, two at least.

    A connection that has served for a while costs its server process 5 MB: what is known of tables, and plans. Give it
    `use_lifo`, so that few connections do the work and know the plans, and the others are seen not to be needed.
    """

    window_seconds: ClassVar[float] = 10.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._highest = 0
        self._highest_before = 0
        self._window_ends_at = time.monotonic() + self.window_seconds

    def doubt_all(self) -> None:
        """Close each connection made until now when it is next taken, and give a new one instead."""
        self._invalidate_time = time.time()

    def _do_get(self) -> ConnectionPoolEntry:
        record = super()._do_get()
        if (adapted := record.dbapi_connection) is not None and adapted.driver_connection.is_closed():
            record.invalidate()
        self._highest = max(self._highest, self.checkedout())
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if time.monotonic() >= self._window_ends_at:
            self._highest_before, self._highest = self._highest, self.checkedout()
            self._window_ends_at = time.monotonic() + self.window_seconds
        if self.checkedin() + self.checkedout() <= max(self._highest, self._highest_before, _ALWAYS_KEPT):
            super()._do_return_conn(record)
            return
        try:
            record.close()
        finally:
            self._dec_overflow()
