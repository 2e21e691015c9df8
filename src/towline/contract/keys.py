"""API keys: credentials for programs."""

import ipaddress
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from towline.contract.base import Model, Page, PageQuery, Reference, ShortText

Scope = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z_]{1,40})$", max_length=40)]
"""A permission such as `deploy`, or `*` for all that the user has."""


def _checked_network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError as error:
        raise ValueError("must be an address or a network such as 203.0.113.0/24") from error


Network = Annotated[str, StringConstraints(max_length=64), AfterValidator(_checked_network)]
"""An address or a network (CIDR), kept as a network."""

UserReference = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,320}$", max_length=320)]
"""Id or e-mail address of a user."""


class KeyQuery(PageQuery):
    """Whose keys are wanted."""

    user: UserReference | None = Field(
        default=None,
        description="Those of this user (id or e-mail), `*` for everybody's; else your own. For administrators.",
    )


class KeyCreate(Model):
    """A new API key of the caller. It can never do more than the caller and the key that makes it, and ends with it."""

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
    addresses: Annotated[list[Network], Field(max_length=50)] = Field(
        default=[], description="Networks it may be used from; none: from everywhere.", examples=[["203.0.113.0/24"]]
    )


class Key(Model):
    """An API key, without its value."""

    id: str = Field(description="Id.", examples=["key_01k9x3v5mdcq2r7s8t9vwxyz01"])
    user_id: str = Field(default="", description="Id of its user.")
    parent_id: str | None = Field(
        default=None, description="Id of the key that made it, with which it ends; null: none."
    )
    name: str = Field(description="What it is for.")
    prefix: str = Field(description="First characters, to tell keys apart.", examples=["twl_4f9a"])
    project_id: str | None = Field(default=None, description="The only project it may touch; null: all.")
    scopes: list[str] = Field(description="Permissions it has; `*` means all of its user's.")
    addresses: list[str] = Field(default=[], description="Networks it may be used from; none: from everywhere.")
    expires_at: datetime | None = Field(default=None, description="When it stops working.")
    last_used_at: datetime | None = Field(default=None, description="When it was last used.")
    last_used_address: str = Field(default="", description="From where it was last used.", examples=["203.0.113.9"])
    created_at: datetime = Field(description="When it was made.")


class NewKey(Key):
    """A key just made; the only time its value is shown."""

    value: str = Field(description="The key itself; keep it now.", examples=["twl_…"], repr=False)


class KeyList(Page[Key]):
    """Keys that still hold, newest first."""
