"""Who is calling, what that caller may do, and what people can change of their own account."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from towline.contract.base import EmailAddress, Model, ShortText

PasswordText = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
"""A password as it is typed; whether it is good enough is decided where it is set."""

PersonName = Annotated[ShortText, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
"""What somebody is called."""


class AccountUser(Model):
    """The user a call is made for."""

    id: str = Field(description="Id.", examples=["usr_01k9x3v5mdcq2r7s8t9vwxyz01"])
    name: str = Field(default="", description="Name.", examples=["Ann"])
    email: str = Field(default="", description="E-mail address.", examples=["ann@example.com"])
    is_administrator: bool = Field(description="Whether it is an instance administrator.")


class AccountKey(Model):
    """The API key a call was made with."""

    id: str = Field(description="Id.")
    name: str = Field(description="What it is for.", examples=["ci"])
    project_id: str | None = Field(default=None, description="The only project it may touch; null: all.")
    expires_at: datetime | None = Field(default=None, description="When it stops working.")


class AccountSession(Model):
    """The session a call was made with."""

    id: str = Field(description="Id.")
    method: str = Field(description="How its user signed in.", examples=["password"])
    expires_at: datetime = Field(description="When it ends, however much it is used.")
    authenticated_at: datetime = Field(description="When its user last proved who they are.")


class Account(Model):
    """Who is calling."""

    user: AccountUser = Field(description="The user.")
    key: AccountKey | None = Field(default=None, description="The API key; null for a session.")
    session: AccountSession | None = Field(default=None, description="The session; null for an API key.")
    permissions: list[str] = Field(
        description="What the key allows at most; `*` means all that the user may do.", examples=[["*"]]
    )
    pending_email: str | None = Field(
        default=None, description="After a change: the new address, which waits to be confirmed by the link sent there."
    )
    has_password: bool = Field(default=False, description="Whether the user can sign in by password.")


class AccountUpdate(Model):
    """What to change of one's own account; fields left out stay as they are."""

    name: PersonName | None = Field(default=None, description="New name; null leaves it.", examples=["Ann"])
    email: EmailAddress | None = Field(default=None, description="New e-mail address; null leaves it.")
    password: PasswordText | None = Field(
        default=None, description="The present password; needed for another address.", repr=False
    )


class EmailConfirm(Model):
    """Confirms another address by the link that was sent to it."""

    token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{20,128}$", max_length=128)] = Field(
        description="The last part of the link.", repr=False
    )


class PasswordChange(Model):
    """A new password. All other sessions of the user end."""

    current_password: PasswordText | None = Field(
        default=None, description="The present password; null when there is none yet.", repr=False
    )
    new_password: PasswordText = Field(description="The new password, 10 to 256 characters.", repr=False)


class SetupLink(Model):
    """The one-time link by which somebody becomes the first administrator."""

    url: str | None = Field(description="The link, valid for a day; null once one was used.", repr=False)


class SetupComplete(Model):
    """The first administrator, by the one-time link that `towline up` printed."""

    token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{20,128}$", max_length=128)] = Field(
        description="The last part of the link.", repr=False
    )
    email: EmailAddress = Field(description="E-mail address to sign in with.", examples=["ann@example.com"])
    name: PersonName = Field(description="Name.", examples=["Ann"])
    password: PasswordText = Field(description="The new password, 10 to 256 characters.", repr=False)
    kind: Literal["cookie", "token"] = Field(
        default="cookie", description="How the session is kept: a cookie of the browser, or a token in the answer."
    )
