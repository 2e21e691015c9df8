"""Connections: credentials for git platforms, each kept once, and what the platforms are told."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now


class Connection(Identified, Row):
    """A sealed token, or the private key of an App (`app_id`), for the repositories of one host.

    `owner` limits it to the repositories below an account, group or workspace; empty means all. Without a project
    every project uses it. `api_url` is set where it does not follow from the host; only administrators' connections
    may lead to this machine (`allows_local`).
    """

    __tablename__ = "connections"
    __table_args__ = (UniqueConstraint("project_id", "kind", "host", "owner", postgresql_nulls_not_distinct=True),)

    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    kind: Mapped[str]
    host: Mapped[str]
    owner: Mapped[str] = mapped_column(default="")
    api_url: Mapped[str] = mapped_column(default="")
    username: Mapped[str] = mapped_column(default="")
    app_id: Mapped[str] = mapped_column(default="")
    secret: Mapped[bytes]
    allows_local: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[str] = mapped_column(default="")


class HostReport(Identified, Row):
    """Something that a git platform is kept up to date about: a webhook there, a commit's status, a comment.

    `target` names it within its kind and repository (`host/owner/name`), `facts` say what it is made from, `remote_id`
    is its id there. It is looked at from `look_at` on while it is open, and sent when it differs from what was sent
    last; `version` grows with every change of what is wanted.
    """

    __tablename__ = "host_reports"
    __table_args__ = (
        UniqueConstraint("project_id", "repository", "kind", "target"),
        Index("ix_host_reports_open", "look_at", postgresql_where=text("state = 'open'")),
        CheckConstraint("kind IN ('hook', 'hook_removal', 'status', 'comment')", name="kind"),
        CheckConstraint("state IN ('open', 'settled', 'failed')", name="state"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    platform: Mapped[str]
    repository: Mapped[str]
    kind: Mapped[str]
    target: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    remote_id: Mapped[str] = mapped_column(default="")
    sent_digest: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(default="open")
    version: Mapped[int] = mapped_column(default=1)
    attempts: Mapped[int] = mapped_column(default=0)
    look_at: Mapped[datetime] = mapped_column(default=utc_now)
    error: Mapped[str] = mapped_column(default="")
