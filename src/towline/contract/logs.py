"""Log lines of deployments and of running instances."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from towline.contract.base import DEFAULT_ENVIRONMENT, Model, Slug
from towline.values import Level, Stream

NDJSON_MEDIA_TYPE: Final = "application/x-ndjson"


def _checked_since(value: str) -> str:
    if value.isdecimal() and value.isascii():
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("must be a sequence number or a time such as 2026-08-01T12:00:00Z") from error
    if moment.tzinfo is None:
        raise ValueError("must name its zone, for example 2026-08-01T12:00:00Z")
    return value


Since = Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(_checked_since)]
"""A sequence number (inclusive) or an ISO 8601 time with zone."""


class LogQuery(Model):
    """Which lines are wanted; with neither `tail` nor `since`, the last 200.

    With `follow=true` the answer is `application/x-ndjson`: one LogEntry per line as it is written, an empty line at
    least every 15 seconds, and the end when the deployment is final (never for a running service).
    """

    tail: int | None = Field(default=None, ge=0, le=10_000, description="Only the last lines of what matches.")
    since: Since | None = Field(
        default=None, description="First sequence wanted, or a time (ISO 8601 with zone).", examples=["1"]
    )
    before: int | None = Field(
        default=None, ge=1, le=2**62, description="Only lines before this sequence (not with `follow`).", examples=[800]
    )
    follow: bool = Field(default=False, description="Whether to go on with lines as they are written.")
    query: str | None = Field(
        default=None, min_length=1, max_length=200, description="Only lines that contain this text."
    )
    level: Level | None = Field(default=None, description="Only lines of this level.")
    limit: int = Field(default=1000, ge=1, le=10_000, description="Most lines in the answer (not with `follow`).")


class ServiceLogQuery(LogQuery):
    """Which lines of a running service are wanted."""

    environment: Slug = Field(default=DEFAULT_ENVIRONMENT, description="Name of the environment.")
    instance: str | None = Field(default=None, max_length=64, description="Only lines of this instance.")


class LogEntry(Model):
    """One line of output, secrets masked."""

    sequence: int = Field(description="Number within the log, from 1 without gaps.", examples=[17])
    at: datetime = Field(description="When it was written.")
    stream: Stream = Field(description="Where it came from; `system` is Towline itself.")
    level: Level = Field(description="How grave it is, as far as the line tells.")
    message: str = Field(description="The text, without line end.", examples=["listening on :8080"])
    instance_id: str | None = Field(default=None, description="Instance that wrote it; null for a build.")


class LogPage(Model):
    """Lines in order."""

    items: list[LogEntry] = Field(description="The lines.")
    next_sequence: int = Field(description="Pass as `since` to go on where this page ended.", examples=[18])
