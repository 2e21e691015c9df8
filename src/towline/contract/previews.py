"""Previews: environments of their own for a request, a branch or a try, which go by themselves."""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from towline.contract.base import (
    DEFAULT_ENVIRONMENT,
    EnvironmentName,
    LongText,
    Model,
    Page,
    PageQuery,
    ShortText,
    Slug,
)
from towline.contract.deployments import GitRef
from towline.contract.environments import PROTECTION_MEANING, Protection, SleepsAfter
from towline.contract.groups import GroupService
from towline.contract.hooks import RefGlob
from towline.values import DeploymentStatus, HealthStatus

LIFETIME: Final = 7 * 86_400
MOST_PREVIEWS: Final = 200
_LONGEST_LIFE: Final = 366 * 86_400

Origin = Literal["pull_request", "branch", "custom"]
Lifetime = Annotated[int, Field(strict=True, ge=60, le=_LONGEST_LIFE)]
Commit = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[0-9a-f]+$")]
ServiceNames = Annotated[list[Slug], Field(max_length=200)]


class PreviewRules(Model):
    """What previews of a project are like; those of requests and branches come by themselves where it says so."""

    pull_requests: bool = Field(
        default=False, strict=True, description="Whether a pull or merge request gets a preview while it is open."
    )
    label: ShortText | None = Field(
        default=None, description="Only requests with this label get one; null means all of them.", examples=["preview"]
    )
    forks: bool = Field(
        default=True,
        strict=True,
        description="Whether requests from forks get one too, once a member has approved the commit.",
    )
    branches: Annotated[list[RefGlob], Field(max_length=50)] = Field(
        default=[], description="Branches that get one when they are pushed to; `*` stands for anything."
    )
    base: EnvironmentName = DEFAULT_ENVIRONMENT
    main: Slug | None = Field(
        default=None, description="Service that the host without a service's name leads to; null finds it."
    )
    scope: Literal["project", "graph", "service"] = Field(
        default="project",
        description="What a preview has of its own: all services, the main one and what it needs, or the main one.",
    )
    shared: ServiceNames = Field(
        default=[], description="Services that previews do not get of their own but use from the base environment."
    )
    lifetime_seconds: Lifetime | None = Field(
        default=LIFETIME, description="How long after the last activity a preview is removed; null keeps it."
    )
    cap: Annotated[int, Field(strict=True, ge=1, le=MOST_PREVIEWS)] = Field(
        default=20, description="How many the project may have; the least recently used goes first."
    )
    sleeps_after_seconds: SleepsAfter | None = Field(
        default=None, description="How long nobody may have asked for it before it sleeps; null: it never does."
    )
    protection: Protection = Field(default="none", description=PROTECTION_MEANING)


class PreviewCreate(Model):
    """A preview by hand. What is left out is as the project's rules say."""

    name: Slug = Field(description="Name, unique among the project's environments.", examples=["new-cart"])
    title: ShortText = Field(default="", description="One line about it.")
    base: Slug | None = Field(default=None, description="Environment that services are shared with and copied from.")
    main: Slug | None = Field(default=None, description="Service that its host leads to.")
    scope: Literal["project", "graph", "service"] | None = Field(
        default=None, description="All services, the main one and what it needs, or the main one."
    )
    shared: ServiceNames | None = Field(default=None, description="Services used from the base environment.")
    ref: GitRef | None = Field(
        default=None, description="Branch, tag or commit of every service that is built from git.", examples=["try"]
    )
    services: Annotated[list[GroupService], Field(max_length=200)] = Field(
        default=[], description="What is deployed of single services, where it is not their source's default."
    )
    copies_data: ServiceNames = Field(
        default=[],
        description="Services whose volumes are filled once from the base environment's; needs `manage_services`.",
    )
    lifetime_seconds: Lifetime | None = Field(
        default=None, description="How long after the last activity it is removed; null: as the rules say."
    )
    is_protected_from_cap: bool = Field(
        default=False, strict=True, description="Whether it stays when the project has too many."
    )

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        names = [one.service for one in self.services]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"name {', '.join(twice)} only once")
        return self


class PreviewUpdate(Model):
    """What to change; fields left out stay as they are."""

    title: ShortText | None = Field(default=None, description="One line about it; null leaves it.")
    ref: GitRef | None = Field(
        default=None, description="Branch, tag or commit to deploy now of every service built from git."
    )
    services: Annotated[list[GroupService], Field(max_length=200)] = Field(
        default=[], description="What to deploy now of single services."
    )
    deploy: bool = Field(default=False, strict=True, description="Whether all of it is deployed again.")
    lifetime_seconds: Lifetime | None = Field(default=None, description="New lifetime; null keeps it for good.")
    sleeps_after_seconds: SleepsAfter | None = Field(default=None, description="New time; null: it never sleeps.")
    is_protected_from_cap: bool | None = Field(
        default=None, strict=True, description="Whether it stays when the project has too many; null leaves it."
    )
    protection: Protection | None = Field(
        default=None,
        description=f"{PROTECTION_MEANING} Null leaves it; more open than the rules needs `manage_services`.",
    )


class PreviewApprove(Model):
    """The commit of a fork that a member has looked at."""

    revision: Commit = Field(description="Commit that may run, whole.")


class PreviewQuery(PageQuery):
    """Which previews are wanted."""

    origin: Origin | None = Field(default=None, description="Only those that came about like this.")


class PreviewService(Model):
    """A service of a preview."""

    service_id: str = Field(description="Id of the service.")
    service: str = Field(description="Name of the service.", examples=["api"])
    is_shared: bool = Field(description="Whether it is the base environment's.")
    urls: list[str] = Field(default=[], description="Its addresses.")
    health: HealthStatus = Field(default=HealthStatus.UNKNOWN, description="How it is.")


class Preview(Model):
    """A preview."""

    id: str = Field(description="Id.", examples=["prv_01k9x3v5mdcq2r7s8t9vwxyz01"])
    name: str = Field(description="Name, which is that of its environment.", examples=["pr-7"])
    project_id: str = Field(description="Id of the project.")
    project: str = Field(description="Name of the project.", examples=["shop"])
    environment_id: str = Field(description="Id of its environment.")
    base: str = Field(description="Environment it shares services with.", examples=["production"])
    origin: Origin = Field(description="How it came about.")
    number: int | None = Field(default=None, description="Number of the pull or merge request.", examples=[7])
    ref: LongText = Field(default="", description="Branch.")
    title: LongText = Field(default="", description="One line about it.")
    head_revision: str = Field(default="", description="Newest commit.")
    is_fork: bool = Field(description="Whether the commit comes from a fork.")
    approved_revision: str = Field(default="", description="Commit of the fork that may run.")
    approved_by: str = Field(default="", description="Who approved it.")
    state: Literal["waiting", "active", "removing"] = Field(description="`waiting`: the commit needs an approval.")
    url: str | None = Field(default=None, description="Address of the main service.")
    main: str | None = Field(default=None, description="Name of the main service.")
    services: list[PreviewService] = Field(description="Its services, by name.")
    status: DeploymentStatus | None = Field(default=None, description="Where its newest deployment stands.")
    group: str | None = Field(default=None, description="Id of its newest deployment as a group.")
    is_asleep: bool = Field(default=False, description="Whether it sleeps; it wakes when it is asked for.")
    last_active_at: datetime = Field(description="When it was last used or pushed to.")
    expires_at: datetime | None = Field(default=None, description="When it is removed; null: it stays.")
    lifetime_seconds: int | None = Field(default=None, description="How long after the last activity it stays.")
    sleeps_after_seconds: int | None = Field(default=None, description="When it sleeps; null: never.")
    is_protected_from_cap: bool = Field(description="Whether it stays when the project has too many.")
    protection: Protection = Field(description=PROTECTION_MEANING)
    has_share_link: bool = Field(default=False, description="Whether a share link opens it.")
    created_by: str = Field(default="", description="Who made it.", examples=["ann@example.com"])
    created_at: datetime = Field(description="When it was made.")


class PreviewList(Page[Preview]):
    """Previews of a project, newest first."""
