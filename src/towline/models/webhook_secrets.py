"""Secrets that a service's webhooks are signed with, and the calls that came."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now


class WebhookSecret(Identified, Row):
    """One sealed secret of a service; `expires_at` is set once a newer one takes its place."""

    __tablename__ = "webhook_secrets"
    __table_args__ = (Index(None, "service_id"),)

    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    value: Mapped[bytes]
    expires_at: Mapped[datetime | None]


class ServiceCall(Row):
    """A call of a service's webhook, so that the same one does nothing twice."""

    __tablename__ = "service_calls"
    __table_args__ = (Index(None, "created_at"),)

    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), primary_key=True)
    delivery_key: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    deployment_id: Mapped[str] = mapped_column(default="", server_default="")
