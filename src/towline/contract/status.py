"""What runs of a service right now, and how well."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from towline.contract.base import DEFAULT_ENVIRONMENT, Model, Page, PageQuery, Slug
from towline.contract.runs import Run
from towline.values import HealthStatus, InstanceState

WantedState = Literal["running", "stopped", "sleeping"]


class Instance(Model):
    """One running container of a release."""

    id: str = Field(description="Id.", examples=["ins_01k9x3v5mdcq2r7s8t9vwxyz01"])
    name: str = Field(description="Name of the container.", examples=["towline-shop-api-production-r12-9vwxyz01"])
    release: int = Field(description="Number of its release.", examples=[12])
    state: InstanceState = Field(description="What the engine says.")
    health: HealthStatus = Field(description="What the last check said.")
    is_routed: bool = Field(description="Whether requests are sent to it.")
    address: str = Field(
        default="", description="IP address inside the environment's network.", examples=["10.117.0.3"]
    )
    port: int | None = Field(default=None, description="Port it answers on.", examples=[8080])
    started_at: datetime | None = Field(default=None, description="When it was started.")
    finished_at: datetime | None = Field(default=None, description="When it ended.")
    exit_code: int | None = Field(default=None, description="Exit code once it ended.")
    is_out_of_memory: bool = Field(default=False, description="Whether it was killed for its memory use.")
    restarts: int = Field(default=0, description="How often it was started again.")


class InstanceList(Page[Instance]):
    """Instances of a service in one environment, oldest first."""


class ServiceStatus(Model):
    """A service in one environment."""

    project_id: str = Field(description="Id of the project.")
    service_id: str = Field(description="Id of the service.")
    environment: str = Field(description="Name of the environment.", examples=["production"])
    state: WantedState = Field(description="What is wanted of it.")
    health: HealthStatus = Field(description="What the last check, or the last run of a cron service, said.")
    checked_at: datetime | None = Field(default=None, description="When health was last checked.")
    response_ms: float | None = Field(
        default=None, description="Response time of that check in milliseconds.", examples=[3.2]
    )
    error: str = Field(
        default="", description="What is wrong.", examples=["crash loop: 5 exits with code 1 in 2 minutes"]
    )
    replicas: int = Field(description="Instances wanted.", examples=[2])
    running: int = Field(description="Instances running.", examples=[2])
    release: int | None = Field(default=None, description="Number of the release that serves.", examples=[12])
    image: str = Field(default="", description="Its image.")
    revision: str = Field(default="", description="Its commit or upload digest.")
    urls: list[str] = Field(default=[], description="Addresses it answers at.")
    instances: list[Instance] = Field(default=[], description="Its instances, oldest first.")
    next_run_at: datetime | None = Field(default=None, description="When a cron service runs next by its schedule.")
    last_run: Run | None = Field(default=None, description="Latest run of a cron service; it stands for its health.")
    deployment_id: str | None = Field(default=None, description="Deployment that is not final yet, if one.")
    last_deployment_id: str | None = Field(default=None, description="Newest deployment, if one.")


class ServiceStatusList(Model):
    """What runs of all services of a project in one environment."""

    items: list[ServiceStatus] = Field(
        description="By the services' names, at most 500. Start times, exits and restarts of instances, and runs of "
        "cron services, are told by each service's own status only."
    )


class HealthQuery(PageQuery):
    """Which checks are wanted."""

    environment: Slug = Field(default=DEFAULT_ENVIRONMENT, description="Name of the environment.")


class HealthCheck(Model):
    """One look of the monitor."""

    checked_at: datetime = Field(description="When.")
    status: HealthStatus = Field(description="What it found.")
    response_ms: float | None = Field(default=None, description="Response time in milliseconds.", examples=[3.2])
    error: str = Field(default="", description="What was wrong.")


class HealthCheckList(Page[HealthCheck]):
    """Checks, newest first."""
