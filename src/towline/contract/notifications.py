"""Notifications: where a project, or the instance, tells people what happened, and what became of each message."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from towline.contract.base import Model, Page, PageQuery, Reference

ChannelKind = Literal["email", "slack", "discord", "telegram", "webhook", "other"]
NotificationKind = Literal[
    "health.down",
    "health.recovered",
    "deployment.failed",
    "deployment.succeeded",
    "run.failed",
    "backup.failed",
    "preview.waiting",
    "certificate.problem",
    "disk.low",
]
EnvironmentKinds = Annotated[list[Literal["production", "staging", "preview"]], Field(min_length=1, max_length=3)]
NotificationKinds = Annotated[list[NotificationKind], Field(min_length=1, max_length=20)]
ChannelName = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]
ChannelAddress = Annotated[str, StringConstraints(min_length=3, max_length=2048, pattern=r"^[ -~]+$")]


class NotificationChannelQuery(PageQuery):
    """Which channels are wanted."""

    project: Reference | None = Field(
        default=None, description="Channels of this project (id or name); without it those of the instance."
    )


class NotificationChannelCreate(Model):
    """Somewhere to send notifications."""

    project: Reference | None = Field(
        default=None,
        description="Project it is of; null tells of all projects, which only an administrator may set up.",
    )
    name: ChannelName = Field(description="Its name, one of a kind in its project.", examples=["on call"])
    kind: ChannelKind = Field(description="How messages are sent.")
    address: ChannelAddress = Field(
        description="E-mail addresses separated by commas, a webhook's URL (Slack, Discord or your own), "
        "`TOKEN/CHAT` for Telegram, or an address of Apprise for others; sealed, and never shown again.",
        examples=["https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"],
        repr=False,
    )
    events: NotificationKinds = Field(
        default=["health.down", "health.recovered", "deployment.failed", "run.failed", "backup.failed"],
        description="What it is told of.",
    )
    environments: EnvironmentKinds = Field(
        default=["production", "staging"], description="Kinds of environments whose services it is told of."
    )


class NotificationChannelUpdate(Model):
    """What changes; fields left out stay as they are."""

    name: ChannelName | None = Field(default=None, description="New name.")
    address: ChannelAddress | None = Field(default=None, description="New address.", repr=False)
    events: NotificationKinds | None = Field(default=None, description="What it is told of.")
    environments: EnvironmentKinds | None = Field(default=None, description="Kinds of environments it is told of.")
    is_paused: bool | None = Field(default=None, description="Whether nothing is sent to it for now.")


class NotificationChannel(Model):
    """Somewhere notifications are sent, without its address."""

    id: str = Field(description="Id.", examples=["nch_01k9x3v5mdcq2r7s8t9vwxyz01"])
    project_id: str | None = Field(description="Id of its project; null for the instance.")
    name: str = Field(description="Its name.")
    kind: ChannelKind = Field(description="How messages are sent.")
    shown: str = Field(description="What may be seen of its address.", examples=["hooks.slack.com"])
    events: list[NotificationKind] = Field(description="What it is told of.")
    environments: list[str] = Field(description="Kinds of environments it is told of.")
    is_paused: bool = Field(description="Whether nothing is sent to it for now.")
    created_at: datetime = Field(description="When it was set up.")


class NewNotificationChannel(NotificationChannel):
    """A channel with the secret that signs its messages, which is shown this once."""

    secret: str | None = Field(default=None, description="Secret of a `webhook` channel; null for the others.")


class NotificationChannelList(Page[NotificationChannel]):
    """Channels by name."""


class Notification(Model):
    """One message and what became of it."""

    id: str = Field(description="Id.", examples=["not_01k9x3v5mdcq2r7s8t9vwxyz01"])
    kind: str = Field(description="What it tells of, or `test`.", examples=["health.down"])
    title: str = Field(description="Its first line.")
    text: str = Field(description="What it says besides.")
    status: Literal["queued", "sent", "failed"] = Field(description="Whether it was sent.")
    reason: str = Field(description="Why it was not sent, or not yet.")
    attempts: int = Field(description="How often it was tried.")
    created_at: datetime = Field(description="When it came up.")
    sent_at: datetime | None = Field(default=None, description="When it was sent.")


class NotificationList(Page[Notification]):
    """Messages to a channel, newest first."""
