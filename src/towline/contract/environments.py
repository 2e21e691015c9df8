"""Environments: where services of a project run."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from towline.contract.base import Model, Page, Slug
from towline.values import EnvironmentKind


class EnvironmentCreate(Model):
    """A new environment; services appear in it with their first deployment to it."""

    name: Slug = Field(description="Name, unique in the project.", examples=["staging"])
    kind: Literal["staging", "preview"] = Field(default="staging", description="`production` exists from the start.")


class Environment(Model):
    """An environment of a project."""

    id: str = Field(description="Id.", examples=["env_01k9x3v5mdcq2r7s8t9vwxyz01"])
    project_id: str = Field(description="Id of its project.")
    name: str = Field(description="Name.", examples=["production"])
    kind: EnvironmentKind = Field(description="What it is for.")
    created_at: datetime = Field(description="When it was made.")


class EnvironmentList(Page[Environment]):
    """Environments of a project, `production` first."""
