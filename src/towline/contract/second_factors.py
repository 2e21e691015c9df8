"""What one signs in with beside or instead of a password: one-time codes, recovery codes, passkeys."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from towline.contract.base import JsonObject, Model, Page, ShortText

TicketText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,128}$", max_length=128)]
"""The value of a ticket."""

TotpCode = Annotated[str, StringConstraints(pattern=r"^ ?[0-9]{3} ?[0-9]{3} ?$", max_length=9)]
"""Six digits, as an authenticator app shows them."""

RecoveryCodeText = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z -]{16,40}$", max_length=40)]
"""A recovery code, however it is typed."""

PasskeyName = Annotated[ShortText, Field(min_length=1, max_length=100)]
"""What a person calls a passkey."""


class Passkey(Model):
    """A passkey, without its keys."""

    id: str = Field(description="Id.", examples=["psk_01k9x3v5mdcq2r7s8t9vwxyz01"])
    name: str = Field(description="What its user calls it.", examples=["Laptop"])
    transports: list[str] = Field(description="How it is reached.", examples=[["internal"]])
    is_backed_up: bool = Field(description="Whether it is kept on more than one device.")
    created_at: datetime = Field(description="When it was registered.")
    last_used_at: datetime | None = Field(default=None, description="When it was last used.")


class PasskeyList(Page[Passkey]):
    """The caller's passkeys, oldest first."""


class SecondFactors(Model):
    """What the caller can prove after a password, and what stands in for it."""

    is_needed: bool = Field(description="Whether signing in by password asks for one of these.")
    totp_since: datetime | None = Field(default=None, description="When one-time codes were turned on; null: off.")
    passkeys: list[Passkey] = Field(description="Passkeys, oldest first.")
    recovery_codes_left: int = Field(description="Recovery codes that were not used.", examples=[10])


class TotpSetup(Model):
    """What an authenticator app needs, shown this once; it counts for nothing until it is confirmed."""

    secret: str = Field(description="The secret, to be typed in.", repr=False)
    uri: str = Field(description="The same for an app that takes an address.", repr=False)
    qr_svg: str = Field(description="The same as a QR code: an SVG image.", repr=False)


class TotpConfirm(Model):
    """The first code of the app."""

    code: TotpCode = Field(description="The six digits the app shows now.", examples=["123456"], repr=False)


class RecoveryCodes(Model):
    """Recovery codes, shown this once."""

    recovery_codes: list[str] = Field(
        description="Codes to keep, each good once; empty when those from before still stand.", repr=False
    )


class PasskeyOptions(Model):
    """What a browser is asked for: `options` is what WebAuthn's JSON form of the request holds."""

    ticket: str = Field(description="To be sent back with the browser's answer.", repr=False)
    options: dict[str, Any] = Field(description="Options for `navigator.credentials.create` or `.get`.")


class PasskeyCreate(Model):
    """The browser's answer to a registration."""

    ticket: TicketText = Field(description="The one that came with the options.", repr=False)
    credential: JsonObject = Field(description="The credential, in WebAuthn's JSON form.")
    name: PasskeyName = Field(default="Passkey", description="What to call it.", examples=["Laptop"])


class NewPasskey(Passkey, RecoveryCodes):
    """A passkey just registered."""


class PasskeyUpdate(Model):
    """Another name."""

    name: PasskeyName = Field(description="What to call it.", examples=["Laptop"])


class PasskeyBegin(Model):
    """For which sign-in a passkey is asked for."""

    ticket: TicketText | None = Field(
        default=None,
        description="The ticket that waits for a second factor; null: the passkey signs in alone.",
        repr=False,
    )


class _Finish(Model):
    ticket: TicketText = Field(description="The ticket of this sign-in.", repr=False)
    kind: Literal["cookie", "token"] = Field(
        default="cookie", description="How the session is kept: a cookie of the browser, or a token in the answer."
    )
    device: ShortText = Field(default="", description="Name of the device; empty: told from the User-Agent.")


class PasskeySignIn(_Finish):
    """A passkey's proof, which signs in by itself."""

    credential: JsonObject = Field(description="The credential, in WebAuthn's JSON form.")


class SecondFactorSignIn(_Finish):
    """One second factor, for the sign-in that waits for it."""

    code: TotpCode | None = Field(default=None, description="A one-time code.", repr=False)
    recovery_code: RecoveryCodeText | None = Field(default=None, description="A recovery code.", repr=False)
    credential: JsonObject | None = Field(default=None, description="A passkey's proof, in WebAuthn's JSON form.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.code, self.recovery_code, self.credential)) != 1:
            raise ValueError("needs exactly one of code, recovery_code and credential")
        return self
