"""What goes over the WebSocket: events as the founding document shapes them, and the calls for rooms.

A client sends Subscribe and Unsubscribe; the server sends Event, Subscribed and Refused. A room is `project:ID`,
`deployment:ID` or `user:ID`. Without `since` events start now; with it, right after that sequence, without gaps.
The lines of a deployment's log come to its room as `deployment.progress` with `data.logs`; such a message repeats the
sequence of the event before it, and its lines have numbers of their own. A connection without `Authorization` header
sends `{"token": "twl_…"}` as its first message.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from towline.contract.base import Model
from towline.contract.logs import LogEntry

Room = Annotated[str, StringConstraints(pattern=r"^(project|deployment|user):[a-z0-9_-]{1,64}$", max_length=80)]
EventSequence = Annotated[int, Field(strict=True, ge=0, le=2**53)]


class Subscribe(Model):
    """Asks for the events of rooms."""

    action: Literal["subscribe"] = Field(default="subscribe", description="Always `subscribe`.")
    rooms: Annotated[list[Room], Field(min_length=1, max_length=100)] = Field(
        description="Rooms, at most 100.", examples=[["project:prj_01k9x3v5mdcq2r7s8t9vwxyz01"]]
    )
    since: EventSequence | None = Field(default=None, description="Sequence of the last event seen; null starts now.")
    log_since: Annotated[dict[str, EventSequence], Field(max_length=100)] = Field(
        default={},
        description="Number of the last log line seen, by id of the deployment; 0 for all, none for new lines.",
    )


class Unsubscribe(Model):
    """Gives rooms up."""

    action: Literal["unsubscribe"] = Field(default="unsubscribe", description="Always `unsubscribe`.")
    rooms: Annotated[list[Room], Field(min_length=1, max_length=100)] = Field(description="Rooms, at most 100.")


class Subscribed(Model):
    """Says which rooms the connection is in now."""

    type: Literal["subscribed"] = Field(default="subscribed", description="Always `subscribed`.")
    rooms: list[str] = Field(description="All rooms of the connection.")
    sequence: int = Field(description="Sequence of the newest event when the call was taken.")


class Refused(Model):
    """Says why a call was not taken."""

    type: Literal["refused"] = Field(default="refused", description="Always `refused`.")
    rooms: list[str] = Field(default=[], description="Rooms that were refused.")
    code: str = Field(description="Stable code of the error.", examples=["not-found"])
    message: str = Field(description="One sentence.")
    hint: str = Field(default="", description="The next thing to try.")


class EventDetail(Model):
    """What an event says; fields that do not apply are left out."""

    progress: float | None = Field(default=None, ge=0, le=100, description="How far, in percent.")
    message: str | None = Field(default=None, description="One line for people.")
    logs: list[LogEntry] | None = Field(default=None, description="New log lines.")
    error: str | None = Field(default=None, description="Why it failed.")
    code: str | None = Field(default=None, description="Stable code of the error.")
    hint: str | None = Field(default=None, description="The next thing to try.")
    status: str | None = Field(default=None, description="New status of the deployment or health of the service.")
    step: str | None = Field(default=None, description="New step of the deployment.")
    environment: str | None = Field(default=None, description="Name of the environment.")
    release: int | None = Field(default=None, description="Number of the release.")
    replicas: int | None = Field(default=None, description="Instances wanted.")
    urls: list[str] | None = Field(default=None, description="Addresses of the service.")
    instance: str | None = Field(default=None, description="Id of the instance.")
    number: int | None = Field(default=None, description="Number of the deployment within the service and environment.")
    environment_id: str | None = Field(default=None, description="Id of the environment.")
    group: str | None = Field(default=None, description="Id of the group that the deployment belongs to.")
    run: str | None = Field(default=None, description="Id of the run of a cron service.")
    preview: str | None = Field(default=None, description="Id of the preview.")
    was: str | None = Field(default=None, description="Health before.")
    response_ms: float | None = Field(default=None, description="Response time of a health check in milliseconds.")


class Event(Model):
    """A past fact; its ids keep the founding document's camelCase names in JSON."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    sequence: int = Field(description="Number in order of commit; grows, but a room does not see all of them.")
    type: str = Field(
        description="`deployment.started|progress|completed|failed`, `group.*` likewise, "
        "`run.started|finished|failed`, `preview.created|updated|removed|expired|waiting|approved`, "
        "`service.health`, and more.",
        examples=["deployment.progress"],
    )
    at: datetime = Field(description="When it became true.")
    project_id: str = Field(
        default="", validation_alias="projectId", serialization_alias="projectId", description="Id of the project."
    )
    service_id: str = Field(
        default="", validation_alias="serviceId", serialization_alias="serviceId", description="Id of the service."
    )
    deployment_id: str = Field(
        default="",
        validation_alias="deploymentId",
        serialization_alias="deploymentId",
        description="Id of the deployment.",
    )
    data: EventDetail = Field(default=EventDetail(), description="What it says.")
