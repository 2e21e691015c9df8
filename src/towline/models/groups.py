"""Dependencies between services, and the groups whose deployments succeed or go back together."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now

_OPEN = text("status IN ('queued', 'building', 'deploying')")


class ServiceDependency(Row):
    """A service needs another of its project; with `is_cascading` it is deployed again after the other one was."""

    __tablename__ = "service_dependencies"
    __table_args__ = (
        Index(None, "depends_on_service_id"),
        CheckConstraint("service_id <> depends_on_service_id", name="other"),
    )

    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), primary_key=True)
    depends_on_service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), primary_key=True)
    is_cascading: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Group(Identified, Row):
    """Deployments of one environment that switch together; the row is the truth about it, as a deployment's is.

    `switched_at` is the decision to switch all of them: before it recovery goes back, from then on forward.
    `interrupts` names the services that are down for the moment in which their volume changes hands.
    """

    __tablename__ = "groups"
    __table_args__ = (
        UniqueConstraint("environment_id", "number"),
        Index("ix_groups_open", "environment_id", "number", postgresql_where=_OPEN),
        Index(None, "project_id", text("created_at DESC")),
    )

    number: Mapped[int]
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    requested_by: Mapped[str] = mapped_column(default="")
    trigger: Mapped[str]
    rollback_to: Mapped[str | None]
    interrupts: Mapped[list[Any]] = mapped_column(default=list)

    status: Mapped[str] = mapped_column(default="queued")
    step: Mapped[str] = mapped_column(default="wait")
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(default="")
    lease_until: Mapped[datetime | None]
    queue_reason: Mapped[str] = mapped_column(default="")
    cancel_requested_at: Mapped[datetime | None]
    cancel_status: Mapped[str] = mapped_column(default="cancelled")
    error: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    switched_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class DeploymentNeed(Row):
    """A deployment that waits until another one has ended, and fails when that one does not succeed."""

    __tablename__ = "deployment_needs"
    __table_args__ = (Index(None, "needs_deployment_id"),)

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True)
    needs_deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True)


class Candidate(Row):
    """The address of an instance that a group starts: callers from such addresses reach each other, not what serves."""

    __tablename__ = "candidates"
    __table_args__ = (Index(None, "environment_id"),)

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    workload_id: Mapped[str]
    environment_id: Mapped[str]
    port: Mapped[int | None]
