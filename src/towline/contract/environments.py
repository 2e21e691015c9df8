"""Environments: where services of a project run."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from towline.contract.base import Model, Page, Slug
from towline.values import EnvironmentKind

SleepsAfter = Annotated[int, Field(strict=True, ge=10, le=30 * 24 * 3600)]
Protection = Literal["none", "sign_in", "link"]
PROTECTION_MEANING: Final = (
    "Who may visit its hosts: `none` everybody · `sign_in` members of the project · `link` members, and whoever has "
    "the share link."
)


class EnvironmentCreate(Model):
    """A new environment; services appear in it with their first deployment to it."""

    name: Slug = Field(description="Name, unique in the project.", examples=["staging"])
    kind: Literal["staging", "preview"] = Field(default="staging", description="`production` exists from the start.")


class EnvironmentUpdate(Model):
    """What to change of an environment."""

    sleeps_after: SleepsAfter | None = Field(
        default=None,
        description="Seconds without a request after which it falls asleep, until the next one; null never. Previews "
        "take theirs from the project's rules.",
        examples=[1800],
    )
    protection: Protection = Field(default="none", description=PROTECTION_MEANING)


class ShareLinks(Model):
    """Addresses that let whoever has them visit one host each; shown once."""

    urls: list[str] = Field(
        description="One for each host.", examples=[["https://shop-pr-7.example.com/_towline/share/Zm9v…"]]
    )


class Environment(Model):
    """An environment of a project."""

    id: str = Field(description="Id.", examples=["env_01k9x3v5mdcq2r7s8t9vwxyz01"])
    project_id: str = Field(description="Id of its project.")
    name: str = Field(description="Name.", examples=["production"])
    kind: EnvironmentKind = Field(description="What it is for.")
    sleeps_after: int | None = Field(
        default=None, description="Seconds without a request after which it falls asleep; null never."
    )
    sleep: Literal["awake", "asleep", "waking"] = Field(default="awake", description="Whether it sleeps now.")
    last_asked_at: datetime | None = Field(
        default=None, description="When a request was last seen; null where that is not watched, or none was."
    )
    protection: Protection = Field(default="none", description=PROTECTION_MEANING)
    has_share_link: bool = Field(default=False, description="Whether a share link opens it.")
    created_at: datetime = Field(description="When it was made.")


class EnvironmentList(Page[Environment]):
    """Environments of a project, `production` first."""
