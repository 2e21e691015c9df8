"""Connections: credentials for git platforms, each kept once for a project or for the whole instance."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row


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
