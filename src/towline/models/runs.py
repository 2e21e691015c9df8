"""Runs of cron services."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row


class CronRun(Identified, Row):
    """One run of a cron service: due at `scheduled_at`, or asked for by someone.

    `attempt` is the fence: a second attempt only finds out that the first was interrupted, since a program that has
    begun is never begun again.
    """

    __tablename__ = "cron_runs"
    __table_args__ = (
        UniqueConstraint("workload_id", "scheduled_at"),
        Index("ix_cron_runs_open", "created_at", postgresql_where=text("status IN ('queued', 'running')")),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), index=True)
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"))
    release_id: Mapped[str | None]
    scheduled_at: Mapped[datetime]
    trigger: Mapped[str]
    requested_by: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="queued")
    exit_code: Mapped[int | None]
    error: Mapped[str] = mapped_column(default="")
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(default="")
    lease_until: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
