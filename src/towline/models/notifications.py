"""Notifications: where they go, each one with what became of it, and what is wrong with the machine or a domain."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now


class NotificationChannel(Identified, Row):
    """Somewhere to send notifications of a project, or (without one) of the whole instance.

    `address` is sealed, `shown` is what may be seen of it. `told_until` is the sequence of the last event that was
    looked at. `allows_local` says that an administrator gave the address, which may then be in a closed network.
    """

    __tablename__ = "notification_channels"
    __table_args__ = (UniqueConstraint("project_id", "name", postgresql_nulls_not_distinct=True),)

    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    address: Mapped[bytes]
    shown: Mapped[str] = mapped_column(default="")
    secret: Mapped[bytes | None]
    events: Mapped[list[Any]] = mapped_column(default=list)
    environments: Mapped[list[Any]] = mapped_column(default=list)
    is_paused: Mapped[bool] = mapped_column(default=False)
    allows_local: Mapped[bool] = mapped_column(default=False)
    told_until: Mapped[int] = mapped_column(BigInteger, default=0)


class Notification(Identified, Row):
    """One message to one channel; `subject` is what it is about, so that going down and coming back make a pair."""

    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("channel_id", "event_sequence"),
        Index(None, "channel_id", "created_at"),
        Index("ix_notifications_queued", "not_before", postgresql_where=text("status = 'queued'")),
    )

    channel_id: Mapped[str] = mapped_column(ForeignKey("notification_channels.id", ondelete="CASCADE"))
    event_sequence: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str]
    subject: Mapped[str] = mapped_column(default="")
    title: Mapped[str]
    text: Mapped[str] = mapped_column(default="")
    path: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="queued")
    reason: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime] = mapped_column(default=utc_now)
    sent_at: Mapped[datetime | None]


class Trouble(Row):
    """Something that is wrong now and no service has: a full disk, a certificate that cannot be had.

    `told_at` is when it was told, which is not before it has lasted.
    """

    __tablename__ = "troubles"

    key: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    message: Mapped[str]
    since: Mapped[datetime] = mapped_column(default=utc_now)
    told_at: Mapped[datetime | None]
