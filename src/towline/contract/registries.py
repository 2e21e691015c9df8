"""Registries: credentials for pulling private images and pushing built ones."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from towline.contract.base import LongText, Model, Page, PageQuery, Reference, ShortText
from towline.errors import InvalidInput
from towline.names import check_host


def _checked_registry(value: str) -> str:
    host, _, port = value.partition(":")
    if ":" in value and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
        raise ValueError("must be a host, with a port from 1 to 65535 behind a colon if it needs one")
    try:
        address = host if host.replace(".", "").isdecimal() else check_host(host)
    except InvalidInput as error:
        raise ValueError("must be a host such as registry.example.com:5000") from error
    return f"{address}:{int(port)}" if port else address


RegistryHost = Annotated[str, StringConstraints(min_length=1, max_length=260), AfterValidator(_checked_registry)]
"""Host and optional port of a registry."""


class RegistryQuery(PageQuery):
    """Which registries are wanted."""

    project: Reference | None = Field(default=None, description="Only what this project uses (id or name).")


class RegistryCreate(Model):
    """Credentials for one registry, checked by signing in to it."""

    host: RegistryHost = Field(description="Host and port.", examples=["registry.example.com:5000"])
    project: Reference | None = Field(
        default=None,
        description="Project that may use it; null means all of them, which only an administrator may set.",
    )
    username: ShortText = Field(description="User name.", examples=["deploy"])
    password: LongText = Field(description="Password or token; write-only.", repr=False)


class Registry(Model):
    """Stored credentials of a registry, without the password."""

    id: str = Field(description="Id.", examples=["reg_01k9x3v5mdcq2r7s8t9vwxyz01"])
    host: str = Field(description="Host and port.")
    project_id: str | None = Field(default=None, description="Project that may use it; null means all.")
    username: str = Field(description="User name.")
    created_at: datetime = Field(description="When it was stored.")


class RegistryList(Page[Registry]):
    """Registries by host."""
