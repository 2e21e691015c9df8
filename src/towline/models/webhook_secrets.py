"""Secrets that a service's webhooks are signed with."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row


class WebhookSecret(Identified, Row):
    """One sealed secret of a service; `expires_at` is set once a newer one takes its place."""

    __tablename__ = "webhook_secrets"
    __table_args__ = (Index(None, "service_id"),)

    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    value: Mapped[bytes]
    expires_at: Mapped[datetime | None]
