"""Hooks: repositories that tell of pushes, and each thing they told."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row


class Hook(Identified, Row):
    """A repository connected to a project: one address and one secret, however many services are built from it.

    `repository` is `host/owner/name` in lower case, `rules` say which branches and tags go to which environment.
    `project_file` is the path of the project file that a push to production's branch applies; empty: none.
    """

    __tablename__ = "hooks"
    __table_args__ = (UniqueConstraint("project_id", "repository"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    source_type: Mapped[str]
    repository: Mapped[str]
    secret: Mapped[bytes]
    old_secret: Mapped[bytes | None]
    old_secret_until: Mapped[datetime | None]
    rules: Mapped[list[Any]] = mapped_column(default=list)
    project_file: Mapped[str] = mapped_column(default="", server_default="")


class HookDelivery(Identified, Row):
    """One verified webhook, read; `delivery_key` is the sender's id of it, so that nothing is done twice."""

    __tablename__ = "hook_deliveries"
    __table_args__ = (
        UniqueConstraint("hook_id", "delivery_key"),
        Index(None, "hook_id", "created_at"),
        Index("ix_hook_deliveries_queued", "created_at", postgresql_where=text("status = 'queued'")),
    )

    hook_id: Mapped[str] = mapped_column(ForeignKey("hooks.id", ondelete="CASCADE"))
    delivery_key: Mapped[str]
    kind: Mapped[str]
    event: Mapped[dict[str, Any]] = mapped_column(default=dict)
    status: Mapped[str] = mapped_column(default="queued")
    reason: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    group_id: Mapped[str | None]
    deployment_ids: Mapped[list[Any]] = mapped_column(default=list)
    replay_of: Mapped[str | None]
    processed_at: Mapped[datetime | None]
