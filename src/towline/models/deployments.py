"""Deployments, the releases they make, and the builds and bundles behind them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now

_OPEN = text("status IN ('queued', 'building', 'deploying')")
_RUNNING = text("status IN ('building', 'deploying')")
_ENDED_BADLY = text("status IN ('failed', 'cancelled', 'superseded')")


class Deployment(Identified, Row):
    """One attempt to put a revision of a service live; this row is the truth about it.

    `attempt` is the fence: every write of a worker names the attempt it belongs to. `switched_at` is the decision to
    switch: from then on recovery goes forward. Members of a group name it; one that `is_built`, or has
    nothing to be built, is run with its group.
    """

    __tablename__ = "deployments"
    __table_args__ = (
        UniqueConstraint("workload_id", "number"),
        Index("uq_deployments_one_running", "workload_id", unique=True, postgresql_where=_RUNNING),
        Index("ix_deployments_open", "created_at", postgresql_where=_OPEN),
        Index("ix_deployments_ended_badly", "status", "id", postgresql_where=_ENDED_BADLY),
        Index(None, "project_id", text("created_at DESC")),
        Index(None, "service_id", text("created_at DESC")),
        Index(None, "group_id", postgresql_where=text("group_id IS NOT NULL")),
    )

    number: Mapped[int]
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"))
    requested_by: Mapped[str] = mapped_column(default="")
    allows_local: Mapped[bool] = mapped_column(default=False)
    trigger: Mapped[str]
    source_type: Mapped[str]
    source_config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    ref: Mapped[str] = mapped_column(default="")
    no_cache: Mapped[bool] = mapped_column(default=False)
    rollback_to: Mapped[str | None]
    group_id: Mapped[str | None]
    is_built: Mapped[bool] = mapped_column(default=False)

    status: Mapped[str] = mapped_column(default="queued")
    step: Mapped[str] = mapped_column(default="wait")
    steps: Mapped[list[Any]] = mapped_column(default=list)
    queue_reason: Mapped[str] = mapped_column(default="")
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(default="")
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    cancel_status: Mapped[str] = mapped_column(default="cancelled")

    commit_sha: Mapped[str] = mapped_column(default="")
    commit_message: Mapped[str] = mapped_column(default="")
    bundle_digest: Mapped[str] = mapped_column(default="")
    image: Mapped[str] = mapped_column(default="")
    is_cached: Mapped[bool] = mapped_column(default=False)
    release_id: Mapped[str | None]
    previous_release_id: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    switched_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Release(Identified, Row):
    """Immutable image + frozen run settings and sealed variables, numbered per workload: what a rollback goes to."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("workload_id", "number"),)

    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"))
    number: Mapped[int]
    deployment_id: Mapped[str]
    image: Mapped[str]
    image_digest: Mapped[str]
    image_port: Mapped[int | None]
    has_healthcheck: Mapped[bool] = mapped_column(default=False)
    commit_sha: Mapped[str] = mapped_column(default="")
    commit_message: Mapped[str] = mapped_column(default="")
    bundle_digest: Mapped[str] = mapped_column(default="")
    port: Mapped[int | None]
    run: Mapped[dict[str, Any]]
    variables: Mapped[bytes]
    is_kept: Mapped[bool] = mapped_column(default=True)


class Build(Identified, Row):
    """An image once built: the same fingerprint (tree + build settings) is not built again while it is there."""

    __tablename__ = "builds"
    __table_args__ = (UniqueConstraint("project_id", "fingerprint"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    fingerprint: Mapped[str]
    image: Mapped[str]
    image_digest: Mapped[str]
    image_port: Mapped[int | None]
    has_healthcheck: Mapped[bool] = mapped_column(default=False)
    dockerfile: Mapped[str] = mapped_column(default="")
    used_at: Mapped[datetime] = mapped_column(default=utc_now)


class Upload(Row):
    """An uploaded archive a project's deployments may name, by its SHA-256."""

    __tablename__ = "uploads"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    is_complete: Mapped[bool] = mapped_column(default=False)
    bundle_digest: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Registry(Identified, Row):
    """Credentials for an image registry, for one project or (project_id null) for all of them."""

    __tablename__ = "registries"
    __table_args__ = (UniqueConstraint("project_id", "host", postgresql_nulls_not_distinct=True),)

    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    host: Mapped[str]
    username: Mapped[str]
    password: Mapped[bytes]
