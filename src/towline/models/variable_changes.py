"""What happened to variables: who set or deleted which, and what it was before."""

from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row


class VariableChange(Identified, Row):
    """One change of one variable; `was` and `now` hold all but the value, which is sealed (None: not there)."""

    __tablename__ = "variable_changes"
    __table_args__ = (
        Index("ix_variable_changes_project_id", "project_id", text("created_at DESC")),
        Index(None, "service_id"),
        Index(None, "environment_id"),
    )

    variable_id: Mapped[str]
    level: Mapped[str]
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    service_id: Mapped[str | None] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    environment_id: Mapped[str | None] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    name: Mapped[str]
    action: Mapped[str]
    value_before: Mapped[bytes | None]
    value_after: Mapped[bytes | None]
    was: Mapped[dict[str, Any]] = mapped_column(default=dict)
    now: Mapped[dict[str, Any]] = mapped_column(default=dict)
    user_id: Mapped[str] = mapped_column(default="")
    undoes: Mapped[str | None]
