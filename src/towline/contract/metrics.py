"""What a service used over time, and how often it was well."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from towline.contract.base import DEFAULT_ENVIRONMENT, Model, Slug

MetricRange = Literal["1h", "6h", "24h", "7d"]
UptimeRange = Literal["24h", "7d"]


class MetricQuery(Model):
    """Which time is wanted."""

    environment: Slug = Field(default=DEFAULT_ENVIRONMENT, description="Name of the environment.")
    range: MetricRange = Field(default="1h", description="How far back; steps grow with it.")


class MetricPoint(Model):
    """Means over one step, all instances together. What was not measured is null."""

    at: datetime = Field(description="When the step begins.")
    instances: int = Field(description="Instances that ran, at most.", examples=[2])
    cpu: float = Field(description="Cores in use.", examples=[0.12])
    memory_bytes: int = Field(description="Memory in use, without what the kernel can drop.", examples=[73_400_320])
    memory_limit_bytes: int = Field(description="Memory that they may use.", examples=[536_870_912])
    received_rate: float | None = Field(default=None, description="Bytes received per second.", examples=[1200.0])
    sent_rate: float | None = Field(default=None, description="Bytes sent per second.", examples=[52_000.0])
    request_rate: float | None = Field(default=None, description="Requests per second.", examples=[4.2])
    failure_rate: float | None = Field(
        default=None, description="Requests per second that were answered with 500 or above.", examples=[0.0]
    )
    request_ms: float | None = Field(
        default=None, description="Mean time of a request in milliseconds.", examples=[12.5]
    )
    response_ms: float | None = Field(
        default=None, description="Mean response time of the health checks in milliseconds.", examples=[3.2]
    )


class MetricHistory(Model):
    """What a service used in one environment; steps without any sample are left out."""

    begins_at: datetime = Field(description="Begin of the first step.")
    ends_at: datetime = Field(description="End of the last step.")
    step_seconds: int = Field(description="Length of a step in seconds.", examples=[60])
    points: list[MetricPoint] = Field(description="At most 168 steps, oldest first.")


class UptimeQuery(Model):
    """Which time is wanted."""

    environment: Slug = Field(default=DEFAULT_ENVIRONMENT, description="Name of the environment.")
    range: UptimeRange = Field(default="24h", description="How far back.")


class UptimeBar(Model):
    """How often each verdict was given within one step."""

    at: datetime = Field(description="When the step begins.")
    healthy: int = Field(default=0, description="Checks that found it healthy.", examples=[60])
    degraded: int = Field(default=0, description="Checks that found it degraded.")
    unhealthy: int = Field(default=0, description="Checks that found it unhealthy.")
    unknown: int = Field(default=0, description="Checks that could not tell.")
    error: str = Field(default="", description="The last thing that was wrong.")


class Uptime(Model):
    """How well a service was in one environment."""

    begins_at: datetime = Field(description="Begin of the first step.")
    ends_at: datetime = Field(description="End of the last step.")
    step_seconds: int = Field(description="Length of a step in seconds.", examples=[1800])
    uptime: float | None = Field(
        default=None,
        description="Share of the checks that did not find it unhealthy, from 0 to 1; null without any check.",
        examples=[0.9991],
    )
    bars: list[UptimeBar] = Field(description="Every step, oldest first; without checks all numbers are 0.")
