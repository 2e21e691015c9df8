"""Connections: credentials for git platforms, kept once for many services."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from towline.contract.base import Host, LongText, Model, Page, PageQuery, Reference, ShortText

Platform = Literal["github", "gitlab", "gitea", "bitbucket"]
OwnerName = Annotated[
    str,
    StringConstraints(max_length=255, pattern=r"^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*)?$"),
]
"""Account, group (with those around it) or workspace; empty for none."""

ApiAddress = Annotated[str, StringConstraints(max_length=2048, pattern=r"^(?:https?://[!-~]+)?$")]
_PART = r"[.]?[A-Za-z0-9_~-][A-Za-z0-9_.~-]*"
RepositoryName = Annotated[str, StringConstraints(min_length=3, max_length=512, pattern=rf"^{_PART}(?:/{_PART})+$")]
AppId = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")]


class ConnectionQuery(PageQuery):
    """Which connections are wanted."""

    project: Reference | None = Field(default=None, description="Only what this project uses (id or name).")


class ConnectionCreate(Model):
    """A credential for one git platform: a token, or for GitHub the id and private key of an App."""

    platform: Platform = Field(description="Kind of platform; Forgejo is `gitea`.")
    host: Host | None = Field(default=None, description="Host of a server of one's own; null means the public one.")
    project: Reference | None = Field(
        default=None,
        description="Project that uses it; null means all of them, which only an administrator may set.",
    )
    owner: OwnerName = Field(
        default="",
        description="Only for repositories below this account, group or workspace; empty: for all of the host.",
        examples=["acme"],
    )
    secret: LongText = Field(description="Token, or the App's private key in PEM form; write-only.", repr=False)
    username: ShortText = Field(default="", description="User name that goes with it; Bitbucket's app passwords only.")
    app_id: AppId = Field(default="", description="Id of the GitHub App; empty for a token.", examples=["123456"])
    api_url: ApiAddress = Field(
        default="", description="Address of the API where it does not follow from the host.", examples=[""]
    )

    @model_validator(mode="after")
    def _fits_the_platform(self) -> "ConnectionCreate":
        if self.app_id and self.platform != "github":
            raise ValueError("only GitHub has Apps")
        if self.platform == "gitea" and self.host is None:
            raise ValueError("needs the host of the Gitea or Forgejo server")
        return self


class Connection(Model):
    """A stored credential for a git platform, without its secret."""

    id: str = Field(description="Id.", examples=["con_01k9x3v5mdcq2r7s8t9vwxyz01"])
    platform: Platform = Field(description="Kind of platform.")
    host: str = Field(description="Host.", examples=["github.com"])
    project_id: str | None = Field(default=None, description="Project that uses it; null means all.")
    owner: str = Field(description="Only for repositories below this; empty: for all of the host.")
    username: str = Field(description="User name that goes with it.")
    app_id: str = Field(description="Id of the GitHub App; empty for a token.")
    api_url: str = Field(description="Address of the API.")
    created_at: datetime = Field(description="When it was stored.")


class ConnectionList(Page[Connection]):
    """Connections by host."""


class RemotePageQuery(Model):
    """Which page of a platform's own list is wanted; the platform says how much is on one."""

    cursor: str | None = Field(
        default=None, min_length=1, max_length=512, description="`next_cursor` of the page before."
    )


class RemoteRepository(Model):
    """A repository at the platform."""

    name: str = Field(description="Owner and name.", examples=["acme/shop"])
    url: str = Field(description="Address to fetch from.")
    default_branch: str = Field(description="Its default branch; empty when the platform does not say.")


class RemoteRepositoryList(Page[RemoteRepository]):
    """Repositories that a connection reaches."""


class BranchQuery(RemotePageQuery):
    """Whose branches are wanted."""

    repository: RepositoryName = Field(description="Owner and name.", examples=["acme/shop"])


class RemoteBranch(Model):
    """A branch at the platform."""

    name: str = Field(description="Name.", examples=["main"])


class RemoteBranchList(Page[RemoteBranch]):
    """Branches of a repository."""
