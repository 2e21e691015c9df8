"""Deployments: attempts to put a revision of a service live."""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from towline.contract.base import (
    DEFAULT_ENVIRONMENT,
    MAX_DOCKERFILE_CHARACTERS,
    Digest,
    EnvironmentName,
    Model,
    Page,
    PageQuery,
    Reference,
    ReleaseNumber,
    Slug,
)
from towline.values import DeploymentStatus, Step, Trigger


def _checked_ref(value: str) -> str:
    if value.startswith("-") or any(ord(character) < 33 or character in "\x7f~^:?*[\\" for character in value):
        raise ValueError("must be a branch, tag or commit by git's rules (no spaces, no leading hyphen)")
    return value


def _checked_dockerfile(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain NUL characters")
    return value


GitRef = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_checked_ref)]
"""A branch, tag or commit."""

IMAGE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}$"
ImageReference = Annotated[str, StringConstraints(pattern=IMAGE_PATTERN, max_length=512)]
"""An OCI image reference such as `ghcr.io/acme/shop:1.4` or `name@sha256:…`."""

Dockerfile = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_DOCKERFILE_CHARACTERS), AfterValidator(_checked_dockerfile)
]


class DeployRequest(Model):
    """What to deploy. At most one of `ref`, `upload`, `image` and `dockerfile`; none means the source's default."""

    environment: EnvironmentName = DEFAULT_ENVIRONMENT
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


class DeploymentTrigger(DeployRequest):
    """What to deploy, with the service given in the body."""

    project: Reference = Field(description="Id or name of the project.", examples=["shop"])
    service: Reference = Field(description="Id or name of the service.", examples=["api"])


class DeploymentRollback(Model):
    """Where to roll back to: the release that a deployment made, or a release of a service by number."""

    deployment: Reference | None = Field(
        default=None, description="Id of the deployment whose release shall run again."
    )
    project: Reference | None = Field(default=None, description="Id or name of the project.", examples=["shop"])
    service: Reference | None = Field(default=None, description="Id or name of the service.", examples=["api"])
    environment: EnvironmentName = DEFAULT_ENVIRONMENT
    release: ReleaseNumber | None = Field(
        default=None, description="Number of the release; null means the one before the current.", examples=[11]
    )

    @model_validator(mode="after")
    def _names_one_target(self) -> Self:
        by_service = (self.project, self.service)
        if self.deployment is not None and (any(by_service) or self.release is not None):
            raise ValueError("give either `deployment`, or `project` and `service`")
        if self.deployment is None and not all(by_service):
            raise ValueError("give `deployment`, or both `project` and `service`")
        return self


class DeploymentQuery(PageQuery):
    """Which deployments are wanted."""

    project: Reference | None = Field(default=None, description="Only of this project (id or name).")
    service: Reference | None = Field(
        default=None, description="Only of this service (id, or name together with `project`)."
    )
    environment: Slug | None = Field(default=None, description="Only in this environment.")
    status: DeploymentStatus | None = Field(default=None, description="Only with this status.")


class DeploymentStep(Model):
    """One step that a deployment went through."""

    step: Step = Field(description="Which step.")
    started_at: datetime = Field(description="When it began.")
    finished_at: datetime | None = Field(default=None, description="When it ended; null while it runs.")
    seconds: float | None = Field(
        default=None, description="How long it took in seconds; null while it runs.", examples=[0.84]
    )
    note: str = Field(default="", description="One line on what happened.", examples=["image reused, same tree"])


class DeploymentError(Model):
    """Why a deployment failed."""

    code: str = Field(description="Stable code.", examples=["build-failed"])
    message: str = Field(description="One sentence.", examples=["The build ended with exit code 1."])
    hint: str = Field(default="", description="The next thing to try.")


class Deployment(Model):
    """One attempt to put a revision of a service live."""

    id: str = Field(description="Id.", examples=["dep_01k9x3v5mdcq2r7s8t9vwxyz01"])
    number: int = Field(description="Number within the service and environment, from 1.", examples=[12])
    project_id: str = Field(description="Id of the project.")
    project: str = Field(description="Name of the project.", examples=["shop"])
    service_id: str = Field(description="Id of the service.")
    service: str = Field(description="Name of the service.", examples=["api"])
    environment: str = Field(description="Name of the environment.", examples=["production"])
    status: DeploymentStatus = Field(description="Where it stands.")
    step: Step = Field(description="The finer step it is in, or was in when it ended.")
    trigger: Trigger = Field(description="Why it was asked for.")
    revision: str = Field(default="", description="Commit or upload digest; empty until it was fetched.")
    message: str = Field(default="", description="First line of the commit's message.")
    ref: str = Field(default="", description="What was asked for: branch, tag, commit, digest or image.")
    created_at: datetime = Field(description="When it was asked for.")
    started_at: datetime | None = Field(default=None, description="When a worker took it.")
    finished_at: datetime | None = Field(default=None, description="When it became final.")
    queue_reason: str = Field(
        default="", description="Why it still waits.", examples=["waiting for memory: 120 MB free"]
    )
    error: DeploymentError | None = Field(default=None, description="Why it failed; null otherwise.")
    steps: list[DeploymentStep] = Field(default=[], description="Steps so far, in order.")
    release: int | None = Field(
        default=None, description="Number of the release it made or rolled back to.", examples=[12]
    )
    urls: list[str] = Field(default=[], description="Addresses of the service in this environment.")
    image: str = Field(default="", description="Reference of the image; empty before the build ended.")
    is_cached: bool = Field(default=False, description="Whether the image was reused without a build.")
    no_cache: bool = Field(default=False, description="Whether a build without cache was asked for.")
    group: str | None = Field(default=None, description="Id of the group that it succeeds or is rolled back with.")
    requested_by: str = Field(default="", description="Who asked: user or trigger name.", examples=["ann@example.com"])
    attempt: int = Field(default=0, description="How often a worker took it; more than 1 after a crash.")
    rollback_of: int | None = Field(default=None, description="Number of the release that a rollback is to.")


class DeploymentList(Page[Deployment]):
    """Deployments, newest first."""


class SettingChange(Model):
    """A setting that differs."""

    name: str = Field(description="Name of the setting.", examples=["memory_bytes"])
    before: str = Field(default="", description="As it was, as JSON; empty where it was not set.", examples=["80"])
    after: str = Field(default="", description="As it is, as JSON; empty where it is not set.", examples=["8080"])


class ChangedVariable(Model):
    """A variable that differs; its values are told by the comparison of releases."""

    name: str = Field(description="Name.", examples=["LOG_LEVEL"])
    kind: Literal["added", "removed", "changed"] = Field(description="How it differs.")
    is_secret: bool = Field(description="Whether it is a secret on either side.")


class DeploymentChanges(Model):
    """What a deployment changes, held against the release that served before it."""

    previous_release: int | None = Field(default=None, description="That release; null for a first one.", examples=[11])
    previous_deployment: str | None = Field(default=None, description="Id of the deployment that made it.")
    release: int | None = Field(default=None, description="The release it made; null before that.", examples=[12])
    previous_revision: str = Field(default="", description="Commit or upload digest before.")
    revision: str = Field(default="", description="Commit or upload digest now; empty until it was fetched.")
    previous_message: str = Field(default="", description="First line of the commit's message before.")
    message: str = Field(default="", description="First line of the commit's message now.")
    previous_image: str = Field(default="", description="Digest of the image before.")
    image: str = Field(default="", description="Digest of the image now; empty before there was one.")
    settings: list[SettingChange] = Field(default=[], description="Run settings that differ, by name.")
    variables: list[ChangedVariable] | None = Field(
        default=None, description="Variables that differ, by name; null for those who may not read variables."
    )
