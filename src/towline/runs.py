"""How runs of cron services stand, and why they were asked for."""

from enum import StrEnum
from typing import Final


class RunStatus(StrEnum):
    """How a run of a cron service stands; a skipped one never began."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the run."""
        return self not in {self.QUEUED, self.RUNNING}


OPEN_RUN_STATUSES: Final = (RunStatus.QUEUED.value, RunStatus.RUNNING.value)
"""Of runs that have not ended; for conditions on rows."""


class RunTrigger(StrEnum):
    """Why a cron service ran."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
