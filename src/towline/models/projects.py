"""Projects, who works on them, and their environments."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now


class Project(Identified, Row):
    """A named group of services, the unit of access."""

    __tablename__ = "projects"

    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    base_domain: Mapped[str] = mapped_column(default="")
    takes_global_secrets: Mapped[bool] = mapped_column(default=False)
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
    """Where services of a project run. `network` and `subnet` are set once the network was made."""

    __tablename__ = "environments"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    network: Mapped[str] = mapped_column(default="")
    subnet: Mapped[str] = mapped_column(default="")
    deleted_at: Mapped[datetime | None]
