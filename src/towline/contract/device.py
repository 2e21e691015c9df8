"""Signing a device in by a code that a person approves elsewhere (RFC 8628)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from towline.contract.base import Model, ShortText

UserCode = Annotated[str, StringConstraints(min_length=8, max_length=32, pattern=r"^[A-Za-z -]+$")]
"""Eight letters, however they are grouped."""

DeviceName = Annotated[ShortText, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
"""What a device calls itself."""


class DeviceStart(Model):
    """A device that wants to be signed in."""

    client_name: DeviceName = Field(
        description="What asks, and where; the key is named so.", examples=["CLI on ann-laptop"]
    )


class DeviceCode(Model):
    """Codes of one sign-in. The device shows the person `user_code` and an address, and asks with `device_code`."""

    device_code: str = Field(description="The device's own code; secret.", repr=False)
    user_code: str = Field(description="What the person compares or types.", examples=["WDJB-MJHT"])
    verification_uri: str = Field(description="Page where the person types the code.")
    verification_uri_complete: str = Field(description="The same with the code filled in.")
    expires_in: int = Field(description="Seconds until the codes are worthless.")
    interval: int = Field(description="Seconds to wait between two questions.")


class DeviceQuestion(Model):
    """A device asks whether it was approved."""

    device_code: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$")] = Field(
        description="The device's own code.", repr=False
    )


class DeviceAnswer(Model):
    """How far a device is."""

    status: Literal["pending", "slow_down", "approved", "denied", "expired"] = Field(
        description="`pending`: ask again after `interval`. `slow_down`: the same, which is longer now. The others are "
        "final."
    )
    interval: int = Field(description="Seconds to wait before the next question.")
    key: str | None = Field(
        default=None, description="The API key, in the first answer after the approval only.", repr=False
    )
    key_id: str | None = Field(default=None, description="Id of the key.")
    expires_at: datetime | None = Field(default=None, description="When the key stops working.")
    user_email: str | None = Field(default=None, description="Whom the device is signed in as.")


class DeviceDecision(Model):
    """A person's answer to a device."""

    user_code: UserCode = Field(description="The code that the device shows.", examples=["WDJB-MJHT"])


class Device(Model):
    """A device as the person sees it who approves or denies it."""

    client_name: str = Field(description="What the device calls itself.")
    address: str = Field(description="Where it asked from.")
    status: Literal["approved", "denied"] = Field(description="What was decided.")
    created_at: datetime = Field(description="When it asked.")
