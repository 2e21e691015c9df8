"""Previews: environments made for a request, a branch or by hand, and removed with all that belongs to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now
from towline.models.hooks import Hook

_IS_THERE = "state <> 'removing'"


class Preview(Identified, Row):
    """A preview; what runs of it belongs to its environment, whose name is the preview's.

    `service_ids` are the services it has of its own, `shared` those it uses from its base environment, `sources` what
    is deployed of each (by id of the service, as `actions.deploying.Wanted`). Without `expires_at` it stays. When
    it sleeps and who may visit it is said by its environment.
    """

    __tablename__ = "previews"
    __table_args__ = (
        Index("uq_previews_number", "hook_id", "number", unique=True, postgresql_where=text(_IS_THERE)),
        Index(
            "uq_previews_branch",
            "hook_id",
            "ref",
            unique=True,
            postgresql_where=text(f"{_IS_THERE} AND origin = 'branch'"),
        ),
        Index(None, "project_id", "id"),
        Index(None, "base_environment_id"),
        Index(None, "expires_at"),
        CheckConstraint("origin IN ('pull_request', 'branch', 'custom')", name="origin"),
        CheckConstraint("state IN ('waiting', 'active', 'removing')", name="state"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"), unique=True)
    base_environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    origin: Mapped[str]
    hook_id: Mapped[str | None] = mapped_column(ForeignKey(Hook.id, ondelete="SET NULL"))
    number: Mapped[int | None]
    ref: Mapped[str] = mapped_column(default="")
    title: Mapped[str] = mapped_column(default="")
    subdomain: Mapped[str] = mapped_column(default="")
    head_revision: Mapped[str] = mapped_column(default="")
    is_fork: Mapped[bool] = mapped_column(default=False)
    approved_revision: Mapped[str] = mapped_column(default="")
    approved_by: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="active")
    removal_reason: Mapped[str] = mapped_column(default="")
    main_service_id: Mapped[str | None]
    service_ids: Mapped[list[Any]] = mapped_column(default=list)
    shared: Mapped[list[Any]] = mapped_column(default=list)
    sources: Mapped[dict[str, Any]] = mapped_column(default=dict)
    copies: Mapped[list[Any]] = mapped_column(default=list)
    lifetime: Mapped[int | None]
    last_active_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime | None]
    is_protected_from_cap: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[str] = mapped_column(default="")
    webhook_trigger: Mapped[str] = mapped_column(default="")
