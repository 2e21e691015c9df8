"""Dumps of databases, snapshots of volumes, and what was restored from them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row

_OPEN = text("status IN ('queued', 'running')")


class Backup(Identified, Row):
    """A dump of a service, or a snapshot of one of its volumes; its content lies in storage under its id.

    `settings` and the sealed `variables` are the service's as they were, so that it can be made anew from them.
    """

    __tablename__ = "backups"
    __table_args__ = (
        Index(None, "project_id", "created_at"),
        Index(None, "workload_id", "created_at"),
        Index("ix_backups_open", "created_at", postgresql_where=_OPEN),
        CheckConstraint("kind IN ('dump', 'snapshot')", name="kind"),
        CheckConstraint("status IN ('queued', 'running', 'success', 'failed')", name="status"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"))
    service_name: Mapped[str]
    environment_name: Mapped[str]
    kind: Mapped[str]
    volume: Mapped[str] = mapped_column(default="")
    trigger: Mapped[str]
    requested_by: Mapped[str] = mapped_column(default="")
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    variables: Mapped[bytes | None]
    image: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="queued")
    attempt: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    digest: Mapped[str] = mapped_column(default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    stored_size: Mapped[int] = mapped_column(BigInteger, default=0)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    test_status: Mapped[str] = mapped_column(default="")
    test_error: Mapped[str] = mapped_column(default="")
    tested_at: Mapped[datetime | None]


class Restore(Identified, Row):
    """A backup brought back: into a new service, into one that is removed afterwards (`test`), or into a volume."""

    __tablename__ = "restores"
    __table_args__ = (
        Index(None, "project_id", "created_at"),
        Index(None, "backup_id"),
        Index("ix_restores_open", "created_at", postgresql_where=_OPEN),
        CheckConstraint("kind IN ('service', 'test', 'volume')", name="kind"),
        CheckConstraint("status IN ('queued', 'running', 'success', 'failed')", name="status"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    backup_id: Mapped[str | None] = mapped_column(ForeignKey("backups.id", ondelete="SET NULL"))
    kind: Mapped[str]
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    service_name: Mapped[str]
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"))
    deployment_id: Mapped[str | None]
    volume: Mapped[str] = mapped_column(default="")
    check_command: Mapped[list[Any]] = mapped_column(default=list)
    was_running: Mapped[bool] = mapped_column(default=False)
    requested_by: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="queued")
    error: Mapped[str] = mapped_column(default="")
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
