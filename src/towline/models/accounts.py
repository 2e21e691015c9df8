"""Users and their API keys."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row


class User(Identified, Row):
    """A person (or the bootstrap administrator) who may act; without `password_hash` nobody signs in by password."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    is_administrator: Mapped[bool] = mapped_column(default=False)
    disabled_at: Mapped[datetime | None]
    password_hash: Mapped[str] = mapped_column(default="")
    password_changed_at: Mapped[datetime | None]


class ApiKey(Identified, Row):
    """A credential of one user, hashed; `scopes` are permissions, `*` stands for all of the user's own.

    `addresses` are the networks (CIDR) it may be used from, none for everywhere. A key ends with its parent, the key
    that made it.
    """

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "user_id"), Index(None, "project_id"), Index(None, "parent_id"))

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"))
    name: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    addresses: Mapped[list[str]] = mapped_column(ARRAY(TEXT), default=list)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_address: Mapped[str] = mapped_column(default="")


class SetupLink(Row):
    """The one-time link printed at the first start, by the hash of its token."""

    __tablename__ = "setup_links"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
