"""Invitations, mails that wait to be sent, and wishes to reset a password."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now


class Invitation(Identified, Row):
    """The offer of a role in a project, or of an account (`project_id` null), to one address; its link by its hash.

    It is open until it was accepted, was revoked or has expired. `invited_by` must still have the right to invite
    when it is accepted.
    """

    __tablename__ = "invitations"
    __table_args__ = (Index(None, "project_id"), Index(None, "email"))

    email: Mapped[str]
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(default="")
    is_administrator: Mapped[bool] = mapped_column(default=False)
    token_hash: Mapped[str] = mapped_column(unique=True)
    invited_by: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Mail(Identified, Row):
    """A mail to one address. `text` is sealed, as it may hold a link that works once, and empty once it was sent.

    It waits while `sent_at` and `given_up_at` are null, is tried at `not_before`, and has no use after `expires_at`.
    """

    __tablename__ = "mails"
    __table_args__ = (
        Index("ix_mails_waiting", "not_before", postgresql_where=text("sent_at IS NULL AND given_up_at IS NULL")),
        Index(None, "created_at"),
    )

    recipient: Mapped[str]
    subject: Mapped[str]
    text: Mapped[bytes]
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")


class ResetRequest(Identified, Row):
    """Someone wishes to reset the password of an address, whether or not it has an account: a worker looks, later."""

    __tablename__ = "reset_requests"
    __table_args__ = (
        Index("ix_reset_requests_waiting", "created_at", postgresql_where=text("done_at IS NULL")),
        Index(None, "email", "created_at"),
        Index(None, "address", "created_at"),
    )

    email: Mapped[str]
    address: Mapped[str]
    done_at: Mapped[datetime | None]
