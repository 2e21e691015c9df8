"""Who is calling, and what that caller may do."""

from datetime import datetime

from pydantic import Field

from towline.contract.base import Model


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


class Account(Model):
    """Who is calling."""

    user: AccountUser = Field(description="The user.")
    key: AccountKey | None = Field(default=None, description="The API key; null for a browser session.")
    permissions: list[str] = Field(
        description="What the key allows at most; `*` means all that the user may do.", examples=[["*"]]
    )
