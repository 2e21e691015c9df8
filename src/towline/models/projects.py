"""Projects, who works on them, and their environments."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now


class Project(Identified, Row):
    """A named group of services, the unit of access. `preview_rules` hold contract.previews.PreviewRules as JSON."""

    __tablename__ = "projects"

    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    base_domain: Mapped[str] = mapped_column(default="")
    takes_global_secrets: Mapped[bool] = mapped_column(default=False)
    preview_rules: Mapped[dict[str, Any]] = mapped_column(default=dict)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    deleted_at: Mapped[datetime | None]


class ProjectCollaborator(Row):
    """A user's role in a project: owner, admin, developer or viewer."""

    __tablename__ = "project_collaborators"
    __table_args__ = (Index(None, "user_id"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Environment(Identified, Row):
    """Where services of a project run. `network` and `subnet` are set once the network was made.

    With `sleeps_after` (seconds) it falls asleep when nobody has asked for it for so long; `last_asked_at` is when
    somebody did, as far as that is watched. `protection` says who may visit its routes, those who know the sealed
    `share_secret` among them.
    """

    __tablename__ = "environments"
    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        Index("ix_environments_not_awake", "id", postgresql_where=text("sleep <> 'awake'")),
        CheckConstraint("sleep IN ('awake', 'asleep', 'waking')", name="sleep"),
        CheckConstraint("protection IN ('none', 'sign_in', 'link')", name="protection"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    network: Mapped[str] = mapped_column(default="")
    subnet: Mapped[str] = mapped_column(default="")
    sleeps_after: Mapped[int | None]
    sleep: Mapped[str] = mapped_column(default="awake")
    sleep_changed_at: Mapped[datetime | None]
    last_asked_at: Mapped[datetime | None]
    protection: Mapped[str] = mapped_column(default="none")
    share_secret: Mapped[bytes | None]
    deleted_at: Mapped[datetime | None]
