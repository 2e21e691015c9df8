"""Webhook secrets: what a service's webhooks are signed with."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from towline.contract.base import Model, Page

Overlap = Annotated[int, Field(strict=True, ge=0, le=30 * 86_400)]


class WebhookSecretRotate(Model):
    """A new secret takes the place of those before it."""

    overlap_seconds: Overlap = Field(
        default=86_400, description="How long the ones before stay valid; 0 ends them now.", examples=[86_400]
    )


class WebhookSecret(Model):
    """A secret that is valid, without its value."""

    id: str = Field(description="Id.", examples=["whs_01k9x3v5mdcq2r7s8t9vwxyz01"])
    url: str = Field(default="", description="Address that takes calls signed with it, and deploys the service.")
    created_at: datetime = Field(description="When it was made.")
    expires_at: datetime | None = Field(
        default=None, description="When it ends, since a newer one took its place; null: it is the newest."
    )


class NewWebhookSecret(WebhookSecret):
    """A secret just made; the only time its value is shown."""

    value: str = Field(description="The secret itself; give it to the sender now.", examples=["twlw_…"], repr=False)


class WebhookSecretList(Page[WebhookSecret]):
    """The secrets of a service that are valid, newest first."""
