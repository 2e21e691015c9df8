"""Groups: deployments of several services that switch together or not at all."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from towline.contract.base import DEFAULT_ENVIRONMENT, Digest, EnvironmentName, Model, Page, PageQuery, Reference, Slug
from towline.contract.deployments import Dockerfile, GitRef, ImageReference
from towline.values import DeploymentStatus, Step, Trigger


class GroupService(Model):
    """A service of the group and what to deploy of it, as for a single deployment."""

    service: Reference = Field(description="Id or name of the service.", examples=["api"])
    ref: GitRef | None = Field(default=None, description="Branch, tag or commit of the source.", examples=["main"])
    upload: Digest | None = Field(default=None, description="Digest of a complete upload of the project.")
    image: ImageReference | None = Field(
        default=None, description="Prebuilt image.", examples=["ghcr.io/acme/shop:1.4"]
    )
    dockerfile: Dockerfile | None = Field(
        default=None, description="Inline Dockerfile, built without any other file; at most 65,536 characters."
    )
    no_cache: bool = Field(default=False, strict=True, description="Build again, without any cache.")

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        origins = [name for name in ("ref", "upload", "image", "dockerfile") if getattr(self, name) is not None]
        if len(origins) > 1:
            raise ValueError(f"give only one of {', '.join(origins)}")
        return self


class GroupDeploy(Model):
    """Which services switch together; none means all of the project that nobody has stopped."""

    environment: EnvironmentName = DEFAULT_ENVIRONMENT
    services: Annotated[list[GroupService], Field(max_length=200)] = Field(
        default=[], description="Services to deploy; what they need and is not live comes with them."
    )

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        names = [one.service for one in self.services]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"name {', '.join(twice)} only once")
        return self


class GroupRollback(Model):
    """Where to roll back to."""

    environment: EnvironmentName = DEFAULT_ENVIRONMENT
    group: Reference | None = Field(
        default=None, description="Id of the group whose releases shall run again; null undoes the newest one."
    )


class GroupQuery(PageQuery):
    """Which groups are wanted."""

    environment: Slug | None = Field(default=None, description="Only of this environment.")


class GroupError(Model):
    """Why a group ended with the old releases."""

    code: str = Field(description="Stable code.", examples=["unhealthy"])
    message: str = Field(description="One sentence.", examples=["api: GET / answered 500"])
    hint: str = Field(default="", description="The next thing to try.")
    service: str = Field(default="", description="Name of the service that was the cause.", examples=["api"])
    deployment: str = Field(default="", description="Id of that service's deployment.")


class GroupMember(Model):
    """A deployment of the group, in short."""

    deployment_id: str = Field(description="Id of the deployment.")
    number: int = Field(description="Number of the deployment within its service and environment.")
    service_id: str = Field(description="Id of the service.")
    service: str = Field(description="Name of the service.", examples=["api"])
    status: DeploymentStatus = Field(description="Where it stands.")
    step: Step = Field(description="The finer step it is in, or was in when it ended.")
    is_built: bool = Field(description="Whether its release is there.")
    queue_reason: str = Field(default="", description="What it waits for.", examples=["Waiting for api to be healthy."])
    error: str = Field(default="", description="Why it failed or was given up.")
    release: int | None = Field(default=None, description="Number of the release it made or rolled back to.")
    urls: list[str] = Field(default=[], description="Addresses of the service in this environment.")


class Group(Model):
    """Deployments that switch together."""

    id: str = Field(description="Id.", examples=["grp_01k9x3v5mdcq2r7s8t9vwxyz01"])
    number: int = Field(description="Number within the environment, from 1.", examples=[4])
    project_id: str = Field(description="Id of the project.")
    project: str = Field(description="Name of the project.", examples=["shop"])
    environment: str = Field(description="Name of the environment.", examples=["production"])
    status: DeploymentStatus = Field(description="Where it stands.")
    step: str = Field(description="wait, build, start, switch, retire or done.", examples=["start"])
    trigger: Trigger = Field(description="Why it was asked for.")
    requested_by: str = Field(default="", description="Who asked.", examples=["ann@example.com"])
    rollback_to: str | None = Field(default=None, description="Id of the group it rolled back to, for a rollback.")
    interrupts: list[str] = Field(
        default=[], description="Services that are down for a moment, since their volume changes hands."
    )
    queue_reason: str = Field(default="", description="What it waits for.", examples=["Waiting for group 3."])
    error: GroupError | None = Field(default=None, description="Why it failed; null otherwise.")
    attempt: int = Field(default=0, description="How often a worker took it; more than 1 after a crash.")
    created_at: datetime = Field(description="When it was asked for.")
    started_at: datetime | None = Field(default=None, description="When a worker took its first member.")
    switched_at: datetime | None = Field(default=None, description="When all of it began to serve.")
    finished_at: datetime | None = Field(default=None, description="When it became final.")
    members: list[GroupMember] = Field(description="Its deployments, by name of the service.")


class GroupList(Page[Group]):
    """Groups of a project, newest first."""
