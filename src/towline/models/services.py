"""Services, their workloads, routes and variables."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now


class Service(Identified, Row):
    """One program of a project. `build` and `run` hold the settings of contract.services as JSON."""

    __tablename__ = "services"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    type: Mapped[str]
    source_type: Mapped[str]
    source_config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    source_credential: Mapped[bytes | None]
    dockerfile_path: Mapped[str] = mapped_column(default="Dockerfile")
    port: Mapped[int | None]
    build: Mapped[dict[str, Any]] = mapped_column(default=dict)
    build_secrets: Mapped[bytes | None]
    run: Mapped[dict[str, Any]] = mapped_column(default=dict)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    deleted_at: Mapped[datetime | None]


class Workload(Identified, Row):
    """A service in one environment: what is wanted there, and how it is.

    `release_id` is the release that serves (or is being switched to); `wanted` is running, stopped, or
    sleeping: stopped until somebody asks for the environment.
    A cron service wants no replicas; `next_run_at` is when the conductor asks for its next run, by the schedule of
    `next_run_release_id`; null until it has looked.
    """

    __tablename__ = "workloads"
    __table_args__ = (
        UniqueConstraint("service_id", "environment_id"),
        Index(None, "environment_id"),
        CheckConstraint("replicas >= 0 AND replicas <= 100", name="replicas"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    release_id: Mapped[str | None]
    next_release_number: Mapped[int] = mapped_column(default=1)
    next_deployment_number: Mapped[int] = mapped_column(default=1)
    replicas: Mapped[int] = mapped_column(default=1)
    wanted: Mapped[str] = mapped_column(default="running")
    health: Mapped[str] = mapped_column(default="unknown")
    health_error: Mapped[str] = mapped_column(default="")
    health_at: Mapped[datetime | None]
    response_ms: Mapped[float | None]
    restarts: Mapped[int] = mapped_column(default=0)
    next_restart_at: Mapped[datetime | None]
    next_run_at: Mapped[datetime | None]
    next_run_release_id: Mapped[str | None]


class Instance(Identified, Row):
    """An instance Towline started: which release it runs, where it answers, and whether requests go there."""

    __tablename__ = "instances"
    __table_args__ = (Index(None, "workload_id"), Index(None, "deployment_id"))

    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"))
    release_id: Mapped[str]
    deployment_id: Mapped[str]
    engine_id: Mapped[str]
    name: Mapped[str]
    address: Mapped[str] = mapped_column(default="")
    port: Mapped[int | None]
    is_routed: Mapped[bool] = mapped_column(default=False)


class Route(Identified, Row):
    """Host + path prefix -> a workload. `kind` is generated or custom."""

    __tablename__ = "routes"
    __table_args__ = (
        UniqueConstraint("host", "path_prefix"),
        Index(None, "workload_id"),
        CheckConstraint("kind IN ('generated', 'custom')", name="kind"),
    )

    workload_id: Mapped[str] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"))
    host: Mapped[str]
    path_prefix: Mapped[str] = mapped_column(default="/")
    kind: Mapped[str]
    certificate: Mapped[str] = mapped_column(default="default")
    redirect_to_https: Mapped[bool] = mapped_column(default=False)
    middlewares: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Variable(Identified, Row):
    """Name and sealed value on one level: global (no owner), project, service, or preview.

    Of the preview level are those of one preview (environment) and those of all previews of a project (project). With
    a `mount_path` instances get the value as a file there instead of in their environment.
    """

    __tablename__ = "variables"
    __table_args__ = (
        UniqueConstraint(
            "level", "project_id", "service_id", "environment_id", "name", postgresql_nulls_not_distinct=True
        ),
        Index(None, "project_id"),
        Index(None, "service_id"),
        Index(None, "environment_id"),
        CheckConstraint("level IN ('global', 'project', 'service', 'preview')", name="level"),
    )

    level: Mapped[str]
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    service_id: Mapped[str | None] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    environment_id: Mapped[str | None] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    name: Mapped[str]
    value: Mapped[bytes]
    is_secret: Mapped[bool] = mapped_column(default=False)
    environment_kinds: Mapped[list[str] | None] = mapped_column(ARRAY(TEXT))
    mount_path: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
