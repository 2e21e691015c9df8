"""Hooks: repositories that tell Towline of pushes, and what they told."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from towline.contract.base import Model, Page, Slug, TreePath

HookSource = Literal["github", "gitlab", "gitea", "bitbucket", "git"]
RefGlob = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
RepositoryAddress = Annotated[str, StringConstraints(min_length=3, max_length=2048, pattern=r"^[!-~]+$")]


class HookRule(Model):
    """Which branch or tag goes to which environment; the first rule that matches counts."""

    branch: RefGlob | None = Field(default=None, description="Branch, `*` stands for anything.", examples=["main"])
    tag: RefGlob | None = Field(default=None, description="Tag, `*` stands for anything.", examples=["v*"])
    environment: Slug = Field(default="production", description="Name of the environment.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "HookRule":
        if (self.branch is None) == (self.tag is None):
            raise ValueError("needs either a branch or a tag")
        return self


class HookCreate(Model):
    """A repository to connect; every service that is built from it is deployed when it is pushed to."""

    source: HookSource = Field(description="Who sends it; `git` is Towline's own signed form, for any other sender.")
    repository: RepositoryAddress = Field(
        description="Address of the repository.", examples=["https://github.com/acme/shop.git"]
    )
    rules: Annotated[list[HookRule], Field(max_length=50)] = Field(
        default=[], description="Rules; without any, each service's own branch goes to production."
    )
    project_file: TreePath | None = Field(
        default=None,
        description="Path of the project file that a push to production's branch applies first; null: none is.",
        examples=["towline.yaml"],
    )

    registers: bool = Field(
        default=True,
        strict=True,
        description="Whether the webhook is made at the platform where a connection reaches the repository.",
    )


class HookUpdate(Model):
    """What to change; fields left out stay as they are."""

    rules: Annotated[list[HookRule], Field(max_length=50)] = Field(default=[], description="Rules, whole.")
    project_file: TreePath | None = Field(
        default=None, description="Path of the project file that pushes apply; null turns it off."
    )


class Hook(Model):
    """A connected repository."""

    id: str = Field(description="Id.", examples=["hok_01k9x3v5mdcq2r7s8t9vwxyz01"])
    source: HookSource = Field(description="Who sends it.")
    repository: str = Field(description="Host and path of the repository.", examples=["github.com/acme/shop"])
    url: str = Field(description="Address to enter at the sender.")
    rules: list[HookRule] = Field(description="Which branch or tag goes where.")
    project_file: str | None = Field(default=None, description="Path of the project file that pushes apply.")
    registration: Literal["by_hand", "pending", "registered", "failed"] = Field(
        default="by_hand",
        description="How far the webhook at the platform is; `by_hand`: address and secret are entered there.",
    )
    registration_error: str = Field(default="", description="Why that has not worked, the last time.")
    report_problem: str = Field(
        default="",
        description="Why the platform could not be told of the newest status or comment; empty: it was told.",
    )
    created_at: datetime = Field(description="When it was made.")


class NewHook(Hook):
    """A hook with its secret; the only time that it is shown."""

    secret: str = Field(description="Secret to enter at the sender.", repr=False)


class HookList(Page[Hook]):
    """Hooks of a project by repository, all on one page."""


class HookDelivery(Model):
    """One thing a repository told."""

    id: str = Field(description="Id.")
    kind: str = Field(description="push, tag, pull_request, branch_deleted, ping or ignored.")
    ref: str = Field(description="Branch or tag, whole.")
    revision: str = Field(description="Commit.")
    sender: str = Field(description="Who did it, by the sender's word.")
    status: Literal["queued", "done", "ignored", "failed"] = Field(description="What became of it.")
    reason: str = Field(description="Why nothing was done, or what went wrong.")
    deployments: list[str] = Field(description="Ids of the deployments it asked for.")
    group: str | None = Field(default=None, description="Id of their group; null: there is none.")
    replay_of: str | None = Field(default=None, description="The delivery that this one repeats.")
    created_at: datetime = Field(description="When it came.")


class HookDeliveryList(Page[HookDelivery]):
    """What a hook was told, newest first."""
