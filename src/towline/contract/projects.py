"""Projects: named groups of services, the unit of access."""

from datetime import datetime

from pydantic import Field

from towline.contract.base import Host, Model, Page, ShortText, Slug
from towline.contract.deployments import Deployment
from towline.values import HealthStatus


class ProjectCreate(Model):
    """A new project; its `production` environment is made with it."""

    name: Slug = Field(description="Name, unique over the instance: 1 to 40 of a-z, 0-9, -.", examples=["shop"])
    description: ShortText = Field(default="", description="One line about it.", examples=["The web shop"])
    base_domain: Host | None = Field(
        default=None,
        description="Domain under which the project's hosts are generated; null means the instance's.",
        examples=["shop.example.com"],
    )


class ProjectUpdate(Model):
    """What to change; fields left out stay as they are."""

    name: Slug | None = Field(default=None, description="New name. Generated hosts follow it; null leaves it.")
    description: ShortText | None = Field(default=None, description="New line about it.")
    base_domain: Host | None = Field(default=None, description="New base domain; null means the instance's.")
    takes_global_secrets: bool | None = Field(
        default=None,
        strict=True,
        description="Whether secrets set for everything reach it, which administrators allow; null leaves it.",
    )


class Project(Model):
    """A project."""

    id: str = Field(description="Id.", examples=["prj_01k9x3v5mdcq2r7s8t9vwxyz01"])
    name: str = Field(description="Name.", examples=["shop"])
    description: str = Field(default="", description="One line about it.")
    owner_id: str = Field(description="Id of the user who owns it.")
    base_domain: str = Field(description="Domain of its generated hosts.", examples=["example.com"])
    takes_global_secrets: bool = Field(default=False, description="Whether secrets set for everything reach it.")
    role: str = Field(
        description="The caller's role: owner, admin, developer or viewer (`owner` for administrators).",
        examples=["owner"],
    )
    service_count: int = Field(description="How many services it has.", examples=[3])
    created_at: datetime = Field(description="When it was made.")


class ProjectSummary(Model):
    """A project at a glance."""

    project: Project = Field(description="The project.")
    health: HealthStatus = Field(description="The worst health of its services in production.")
    urls: list[str] = Field(default=[], description="Addresses of its services in production, at most 20.")
    last_deployment: Deployment | None = Field(
        default=None, description="Its newest deployment, in any environment; null without any."
    )


class ProjectSummaryList(Page[ProjectSummary]):
    """Projects the caller can see, by name, at a glance."""


class ProjectList(Page[Project]):
    """Projects the caller can see, by name."""
