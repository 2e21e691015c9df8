"""The one shape of every error answer: RFC 9457 problem details with Towline's code and hint."""

from typing import Final

from pydantic import Field

from towline.contract.base import Model

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"


class FieldProblem(Model):
    """One field of the request that cannot be accepted."""

    field: str = Field(description="Path of the field, parts joined by dots.", examples=["volumes.0.path"])
    message: str = Field(description="What is wrong with it.", examples=["must be an absolute path"])


class Problem(Model):
    """An error answer (`application/problem+json`)."""

    type: str = Field(
        default="about:blank",
        description="URI of the error's documentation.",
        examples=["https://towline.dev/reference/errors#not-found"],
    )
    title: str = Field(description="What kind of error it is.", examples=["Not found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(
        description="One sentence with the names involved.", examples=["There is no project 'shop' that you may see."]
    )
    code: str = Field(description="Stable code of the error.", examples=["not-found"])
    hint: str = Field(default="", description="The next thing to try.", examples=["Check the name."])
    field: str | None = Field(default=None, description="The input at fault, if one.", examples=["name"])
    errors: list[FieldProblem] = Field(default=[], description="Every field at fault when the request is not valid.")
