"""API keys: credentials for programs."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from towline.contract.base import Model, Page, Reference, ShortText

Scope = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z_]{1,40})$", max_length=40)]
"""A permission such as `deploy`, or `*` for all that the user has."""


class KeyCreate(Model):
    """A new API key of the caller. It can never do more than the caller and the key that makes it."""

    name: Annotated[ShortText, Field(min_length=1)] = Field(description="What it is for.", examples=["ci"])
    project: Reference | None = Field(
        default=None, description="The only project it may touch (id or name); null: all."
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)] = Field(
        default=["*"], description="Permissions it has.", examples=[["deploy", "view_logs"]]
    )
    expires_at: AwareDatetime | None = Field(
        default=None, description="When it stops working (with zone); null: never."
    )


class Key(Model):
    """An API key, without its value."""

    id: str = Field(description="Id.", examples=["key_01k9x3v5mdcq2r7s8t9vwxyz01"])
    name: str = Field(description="What it is for.")
    prefix: str = Field(description="First characters, to tell keys apart.", examples=["twl_4f9a"])
    project_id: str | None = Field(default=None, description="The only project it may touch; null: all.")
    scopes: list[str] = Field(description="Permissions it has; `*` means all of its user's.")
    expires_at: datetime | None = Field(default=None, description="When it stops working.")
    last_used_at: datetime | None = Field(default=None, description="When it was last used.")
    created_at: datetime = Field(description="When it was made.")


class NewKey(Key):
    """A key just made; the only time its value is shown."""

    value: str = Field(description="The key itself; keep it now.", examples=["twl_…"], repr=False)


class KeyList(Page[Key]):
    """The caller's keys, newest first."""
