"""Identity providers that users sign in with, and users' identities there."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from towline.contract.base import Host, LongText, Model, Page, ShortText, Slug

ProviderKind = Literal["github", "gitlab", "google", "oidc"]

MOST_DOMAINS: Final = 50


def _checked_issuer(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError("must be an address such as https://sso.example.com")
    return value


Issuer = Annotated[str, StringConstraints(max_length=500, pattern=r"^[!-~]*$"), AfterValidator(_checked_issuer)]
"""Address of a provider; for OpenID Connect what stands before `/.well-known/openid-configuration`."""

ClientId = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[ -~]+$")]
"""What a provider calls an application registered with it."""

ClientSecret = Annotated[LongText, Field(min_length=1, max_length=4096)]
"""The secret a provider gave for an application."""

Domains = Annotated[list[Host], Field(max_length=MOST_DOMAINS)]
"""Domains of e-mail addresses."""

ProviderTitle = Annotated[ShortText, StringConstraints(max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""What people read."""


class IdentityProviderCreate(Model):
    """A provider that users may sign in with."""

    name: Slug = Field(description="Name in addresses; it cannot be changed.", examples=["company"])
    kind: ProviderKind = Field(description="Kind of provider; `oidc` is any OpenID Connect provider.")
    title: ProviderTitle = Field(default="", description="What the sign-in page says; empty means the kind's name.")
    issuer: Issuer = Field(
        default="",
        description="Address of the provider; empty means github.com, gitlab.com or Google. Plain http only for this "
        "machine.",
        examples=["https://sso.example.com/realms/company"],
    )
    client_id: ClientId = Field(description="Client id that the provider shows.")
    client_secret: ClientSecret = Field(description="Client secret that the provider shows; write-only.", repr=False)
    is_enabled: bool = Field(default=True, description="Whether users can sign in with it.")
    is_trusted: bool = Field(
        default=False,
        description="Whether its verified addresses link to users who are here already. Only for a provider that gives "
        "an address to nobody but its owner.",
    )
    allows_sign_up: bool = Field(default=False, description="Whether somebody without a user here becomes one.")
    email_domains: Domains = Field(
        default=[], description="Whose addresses may sign up; empty means any.", examples=[["example.com"]]
    )


class IdentityProviderUpdate(Model):
    """What to change; fields left out stay as they are."""

    title: ProviderTitle | None = Field(default=None, description="What the sign-in page says; null leaves it.")
    issuer: Issuer | None = Field(default=None, description="Address of the provider; null leaves it.")
    client_id: ClientId | None = Field(default=None, description="Client id; null leaves it.")
    client_secret: ClientSecret | None = Field(
        default=None, description="Client secret; write-only; null leaves it.", repr=False
    )
    is_enabled: bool | None = Field(default=None, description="Whether users can sign in with it; null leaves it.")
    is_trusted: bool | None = Field(
        default=None, description="Whether its verified addresses link to users who are here; null leaves it."
    )
    allows_sign_up: bool | None = Field(default=None, description="Whether it makes new users; null leaves it.")
    email_domains: Domains | None = Field(default=None, description="Whose addresses may sign up; null leaves it.")


class IdentityProvider(Model):
    """A provider, without its client secret."""

    id: str = Field(description="Id.", examples=["idp_01k9x3v5mdcq2r7s8t9vwxyz01"])
    name: str = Field(description="Name in addresses.")
    kind: ProviderKind = Field(description="Kind of provider.")
    title: str = Field(description="What the sign-in page says.")
    issuer: str = Field(description="Address of the provider.")
    client_id: str = Field(description="Client id.")
    redirect_uri: str = Field(description="Address that has to be registered at the provider, exactly.")
    former_redirect_uri: str = Field(
        default="",
        description="Address at a former host of Towline that is sent instead until that is retired; empty: none.",
    )
    is_enabled: bool = Field(description="Whether users can sign in with it.")
    is_trusted: bool = Field(description="Whether its verified addresses link to users who are here already.")
    allows_sign_up: bool = Field(description="Whether somebody without a user here becomes one.")
    email_domains: list[str] = Field(description="Whose addresses may sign up; empty means any.")
    created_at: datetime = Field(description="When it was set up.")


class IdentityProviderList(Page[IdentityProvider]):
    """All providers by name; there is only one page."""


class IdentityProviderCheck(Model):
    """Whether a provider can be used as it is set up."""

    is_working: bool = Field(description="Whether it answers, and accepts the client id and secret.")
    problem: str = Field(description="What is wrong; empty when nothing is.")
    hint: str = Field(description="What to try; empty when nothing is wrong.")
    redirect_uri: str = Field(description="Address that has to be registered at the provider; this is not tested.")


class SignInChoice(Model):
    """A provider as the sign-in page offers it."""

    name: str = Field(description="Name in addresses.")
    title: str = Field(description="What people read.")
    kind: ProviderKind = Field(description="Kind of provider.")
    path: str = Field(description="Path that a browser opens to sign in.", examples=["/sign-in/with/company"])


class SignInChoiceList(Page[SignInChoice]):
    """All providers that are enabled, by name; there is only one page."""


class Identity(Model):
    """Who the caller is at a provider."""

    id: str = Field(description="Id.", examples=["idn_01k9x3v5mdcq2r7s8t9vwxyz01"])
    provider: str = Field(description="Name of the provider.")
    title: str = Field(description="What people read for the provider.")
    email: str = Field(description="Address there when it was last used.")
    created_at: datetime = Field(description="When it was linked.")
    last_used_at: datetime | None = Field(default=None, description="When it was last used to sign in.")


class IdentityList(Page[Identity]):
    """The caller's identities, oldest first; there is only one page."""
