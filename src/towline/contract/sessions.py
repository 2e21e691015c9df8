"""Signing in, and the sessions it opens."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from towline.contract.account import AccountUser, PasswordText
from towline.contract.base import EmailAddress, Model, Page, ShortText


class SignIn(Model):
    """An e-mail address with its password."""

    email: EmailAddress = Field(description="E-mail address.", examples=["ann@example.com"])
    password: PasswordText = Field(description="Password.", repr=False)
    kind: Literal["cookie", "token"] = Field(
        default="cookie", description="How the session is kept: a cookie of the browser, or a token in the answer."
    )
    device: ShortText = Field(default="", description="Name of the device; empty: told from the User-Agent.")


class Session(Model):
    """A person's sign-in on one device."""

    id: str = Field(description="Id.", examples=["ses_01k9x3v5mdcq2r7s8t9vwxyz01"])
    method: str = Field(description="How they signed in.", examples=["password"])
    device: str = Field(description="What they use.", examples=["Firefox on Linux"])
    address: str = Field(description="Address it was last used from.", examples=["203.0.113.9"])
    is_current: bool = Field(description="Whether it is the session of this call.")
    created_at: datetime = Field(description="When they signed in.")
    last_used_at: datetime = Field(description="When it was last used, to the minute.")
    expires_at: datetime = Field(description="When it ends, however much it is used.")


class SignInResult(Model):
    """A session; or, when the user has second factors, the ticket that waits for one."""

    user: AccountUser | None = Field(default=None, description="Who is signed in; null: a second factor is missing.")
    session: Session | None = Field(default=None, description="The session; null: a second factor is missing.")
    token: str | None = Field(
        default=None, description="Value of the session, if one was asked for; not shown again.", repr=False
    )
    ticket: str | None = Field(default=None, description="What to send with the second factor.", repr=False)
    factors: list[str] = Field(
        default=[], description="Second factors of which one is needed.", examples=[["totp", "passkey"]]
    )


class SessionList(Page[Session]):
    """The caller's sessions that have not ended, newest first."""


class SessionConfirm(Model):
    """Proof that it is still the same person, for changes that a stolen session must not be able to make."""

    password: PasswordText = Field(description="The password.", repr=False)


class SessionsEnded(Model):
    """How many sessions ended."""

    ended: int = Field(description="Sessions that ended.", examples=[2])


class Renewed(Model):
    """A session's value was changed; a browser gets it as a cookie, who sends it as a token gets it here."""

    token: str | None = Field(default=None, description="New value of the session, if it is a token.", repr=False)
