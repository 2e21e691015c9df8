"""Other providers that users sign in with, users' identities there, and codes that devices sign in with."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row


class IdentityProvider(Identified, Row):
    """A provider that users may sign in with.

    `is_trusted`: its verified addresses link to users that are here already. `email_domains`: whose addresses may
    sign up; empty means any. `is_enabled` false keeps the identities, but nobody signs in.
    """

    __tablename__ = "identity_providers"
    __table_args__ = (CheckConstraint("kind IN ('github', 'gitlab', 'google', 'oidc')", name="kind"),)

    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    kind: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    client_secret: Mapped[bytes]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    is_trusted: Mapped[bool] = mapped_column(default=False)
    allows_sign_up: Mapped[bool] = mapped_column(default=False)
    email_domains: Mapped[list[str]] = mapped_column(ARRAY(TEXT), default=list)


class Identity(Identified, Row):
    """Who a user is at a provider; `subject` never changes there, `email` may."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("provider_id", "subject"), Index(None, "user_id"))

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider_id: Mapped[str] = mapped_column(ForeignKey("identity_providers.id", ondelete="CASCADE"))
    subject: Mapped[str]
    email: Mapped[str]
    last_used_at: Mapped[datetime | None]


class DeviceCode(Identified, Row):
    """A device that waits to be signed in (RFC 8628): its own code by its hash, the one people type as it is.

    `status` is pending, approved, denied or used; `user_id` is who answered, `interval_seconds` how long the device
    has to wait between two questions.
    """

    __tablename__ = "device_codes"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'approved', 'denied', 'used')", name="status"),
        Index("uq_device_codes_pending", "user_code", unique=True, postgresql_where=text("status = 'pending'")),
        Index(None, "expires_at"),
    )

    code_hash: Mapped[str] = mapped_column(unique=True)
    user_code: Mapped[str]
    client_name: Mapped[str]
    address: Mapped[str]
    status: Mapped[str] = mapped_column(default="pending")
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    interval_seconds: Mapped[int]
    expires_at: Mapped[datetime]
    last_polled_at: Mapped[datetime | None]
