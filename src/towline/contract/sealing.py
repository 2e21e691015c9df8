"""The keys that seal secrets at rest, and their rotation."""

from pydantic import Field

from towline.contract.base import Model


class SealingKey(Model):
    """A sealing key, without its value."""

    id: str = Field(description="What sealed values name it by.", examples=["5f1d0c2b9a7e4d33"])
    values: int = Field(description="How many values it seals.")
    is_current: bool = Field(description="Whether new values are sealed with it.")
    is_in_file: bool = Field(description="Whether the key file holds it; else its values cannot be opened.")


class Sealing(Model):
    """How secrets are sealed now."""

    keys: list[SealingKey] = Field(description="The keys, the current one first.")
    values: int = Field(description="How many values are sealed.")
    remaining: int = Field(description="How many of them wait to be sealed anew.")
    is_rotating: bool = Field(description="Whether a rotation is going on.")
