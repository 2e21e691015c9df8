"""Hold: one worker's hold on a row. Its lease is kept; its job ends when it is cancelled or taken over."""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Self, TypeVar

from sqlalchemy import Row
from sqlalchemy.sql.dml import ReturningUpdate

from towline.actions.platform import Platform
from towline.errors import Cancelled, FenceLost, Unavailable
from towline.models.base import utc_now

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Hold(ABC):
    """Entered, it renews the lease every third of its time, and at once when nudged."""

    cancels_once = False
    """Whether a job that was told to end is left alone until it has; otherwise it is told again at each look."""

    def __init__(self, platform: Platform, row_id: str, *, title: str) -> None:
        self.platform = platform
        self.is_cancelled = False
        self.is_fence_lost = False
        self._row_id = row_id
        self._title = title
        self._job: asyncio.Task[Any] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_lease(), name=f"lease {self._row_id}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.let_go()

    async def let_go(self) -> None:
        """Renew the lease no longer."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])

    async def carry_out(self, steps: Coroutine[Any, Any, T]) -> T:
        """Run the steps; Cancelled when someone cancelled meanwhile, FenceLost when another worker took over."""
        self._job = asyncio.create_task(steps, name=f"job {self._row_id}")
        try:
            return await self._job
        except asyncio.CancelledError:
            if not self._job.cancelled():
                self._job.cancel()
                await asyncio.wait([self._job])
                raise
            self._raise_reason()
            raise
        finally:
            self._job = None

    def nudge(self) -> None:
        """Look at the row now: someone may have cancelled."""
        self._nudge.set()

    def fence_lost(self) -> FenceLost:
        """What to raise when a write of this attempt met no row."""
        self.is_fence_lost = True
        return FenceLost(f"{self._title} was taken over by another worker.")

    @abstractmethod
    def _renewal(self) -> ReturningUpdate[*tuple[Any, ...]]:
        """Renews the lease of the row as long as it is held, and returns what `_note` wants to know."""

    @abstractmethod
    def _note(self, row: Row[*tuple[Any, ...]]) -> None:
        """Take in what the row says: whether someone cancelled."""

    def _raise_reason(self) -> None:
        if self.is_fence_lost:
            raise self.fence_lost()
        if self.is_cancelled:
            raise Cancelled(f"{self._title} was cancelled.")

    async def _keep_lease(self) -> None:
        """Renew the lease; stop the job when the fence is lost, the lease ran out unrenewed, or someone cancelled."""
        renewed_at = utc_now()
        while not self.is_fence_lost:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.platform.settings.lease.total_seconds() / 3):
                    await self._nudge.wait()
            self._nudge.clear()
            renewed_at = await self._renew(renewed_at)
            if self.is_cancelled or self.is_fence_lost:
                self._stop_job()

    def _stop_job(self) -> None:
        if self._job is not None and not (self.cancels_once and self._job.cancelling()):
            self._job.cancel()

    async def _renew(self, renewed_at: datetime) -> datetime:
        try:
            async with self.platform.database.transaction() as work:
                row = (await work.session.execute(self._renewal())).first()
        except Unavailable as error:
            _log.warning("The lease of %s could not be renewed: %s", self._row_id, error)
            self.is_fence_lost = utc_now() - renewed_at > self.platform.settings.lease
            return renewed_at
        self.is_fence_lost = row is None
        if row is not None:
            self._note(row)
        return utc_now()
