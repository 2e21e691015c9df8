"""Users of the instance, one-time links to choose a password, and mail."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from towline.contract.base import EmailAddress, Model, Page, PageQuery, ShortText
from towline.contract.members import LinkToken, NewPassword


class UserQuery(PageQuery):
    """Which users are wanted."""

    email: EmailAddress | None = Field(default=None, description="Only the one with this address.")


class UserCreate(Model):
    """A user made at once; the answer holds a one-time link to choose a password."""

    email: EmailAddress = Field(description="E-mail address.", examples=["ann@example.com"])
    name: ShortText = Field(default="", description="Name.", examples=["Ann"])
    is_administrator: bool = Field(default=False, description="Whether it is an instance administrator.")


class UserUpdate(Model):
    """What to change; fields left out stay as they are."""

    name: ShortText | None = Field(default=None, description="New name; null leaves it.")
    is_administrator: bool | None = Field(default=None, description="Instance administrator or not; null leaves it.")
    is_disabled: bool | None = Field(
        default=None, description="True ends all sessions and keys at once, for good; null leaves it."
    )


class User(Model):
    """A user of the instance."""

    id: str = Field(description="Id.", examples=["usr_01k9x3v5mdcq2r7s8t9vwxyz01"])
    email: str = Field(description="E-mail address.")
    name: str = Field(default="", description="Name.")
    is_administrator: bool = Field(description="Whether it is an instance administrator.")
    is_disabled: bool = Field(description="Whether the user cannot act.")
    created_at: datetime = Field(description="When it was made.")


class UserList(Page[User]):
    """Users by address."""


class PasswordLink(Model):
    """A one-time link by which a user chooses a password."""

    user_id: str = Field(description="Id of the user.")
    email: str = Field(description="E-mail address.")
    link: str = Field(description="The link, shown this once.", repr=False)
    expires_at: datetime = Field(description="Until when it works.")


class NewUser(User):
    """A user just made, with the link to choose a password."""

    link: str = Field(description="The link, shown this once.", repr=False)
    link_expires_at: datetime = Field(description="Until when the link works.")


class PasswordResetAsk(Model):
    """Asks for a mail with a link to choose a new password."""

    email: EmailAddress = Field(description="E-mail address of the account.", examples=["ann@example.com"])


class PasswordResetAsked(Model):
    """The same answer whether or not there is such an account."""

    message: str = Field(description="What happens next.")


class PasswordResetFinish(Model):
    """Chooses a new password by a one-time link; all sessions of the user end."""

    token: LinkToken = Field(description="The last part of the link.", repr=False)
    password: NewPassword = Field(description="The new password.", repr=False)


class PasswordResetDone(Model):
    """The password was changed."""

    email: str = Field(description="E-mail address of the account.")


class MailTest(Model):
    """Asks for a test mail."""

    to: EmailAddress | None = Field(default=None, description="Address it goes to; null: the caller's own.")


class MailTested(Model):
    """What the mail server said of the test mail."""

    to: str = Field(description="Address it went to.")
    server: str = Field(description="The mail server.", examples=["smtp.example.com:587"])
    answer: Annotated[str, Field(max_length=1000)] = Field(
        description="What the server answered, word for word.", examples=["250 2.0.0 Ok: queued as 4Bq"]
    )
