"""Releases: what ran and can be gone back to."""

from datetime import datetime

from pydantic import Field

from towline.contract.base import DEFAULT_ENVIRONMENT, EnvironmentName, Model, Page, PageQuery, Slug


class ReleaseQuery(PageQuery):
    """Which releases are wanted."""

    environment: Slug = Field(default=DEFAULT_ENVIRONMENT, description="Name of the environment.")


class ReleasePromote(Model):
    """Run a release of one environment in another, by its image, without a build."""

    from_environment: EnvironmentName = Field(description="Environment the release belongs to.", examples=["staging"])
    to_environment: EnvironmentName = Field(default=DEFAULT_ENVIRONMENT, description="Environment it shall run in.")


class Release(Model):
    """An immutable image with the settings it ran with."""

    id: str = Field(description="Id.", examples=["rel_01k9x3v5mdcq2r7s8t9vwxyz01"])
    number: int = Field(description="Number within the service and environment, from 1.", examples=[12])
    environment: str = Field(description="Name of the environment.", examples=["production"])
    deployment_id: str = Field(description="Deployment that made it.")
    image: str = Field(description="Reference of the image, pinned by digest.")
    commit: str = Field(default="", description="Commit or upload digest it was built from.")
    message: str = Field(default="", description="First line of the commit's message.")
    created_at: datetime = Field(description="When it was made.")
    is_current: bool = Field(description="Whether it serves now.")
    can_rollback: bool = Field(description="Whether it can be gone back to now.")
    rollback_problem: str = Field(default="", description="Why not.", examples=["its image was removed to free disk"])


class ReleaseList(Page[Release]):
    """Releases of a service in one environment, newest first."""
