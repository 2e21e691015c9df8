"""What every model of the API shares: strictness, limits of texts and numbers, and pages of a list."""

import json
from typing import Annotated, Final, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from towline.errors import InvalidInput
from towline.names import SLUG_PATTERN, check_host, check_path_prefix

API_PREFIX: Final = "/api/v1"
DEFAULT_ENVIRONMENT: Final = "production"
DIGEST_PATTERN: Final = r"^sha256:[0-9a-f]{64}$"
VARIABLE_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
VOLUME_PATTERN: Final = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
REFERENCE_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"
EMAIL_PATTERN: Final = (
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
)
MAX_JSON_BYTES: Final = 16 * 1024
MAX_DOCKERFILE_CHARACTERS: Final = 64 * 1024
MAX_BYTES: Final = 2**50

T = TypeVar("T")


class Model(BaseModel):
    """Base of all API models: unknown fields are refused, values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)


class Page(Model, Generic[T]):
    """One page of a list, newest first unless the operation says otherwise."""

    items: list[T] = Field(description="The objects of this page.")
    next_cursor: str | None = Field(
        default=None, description="Pass as `cursor` for the next page; null on the last one."
    )


class PageQuery(Model):
    """Which page of a list is wanted."""

    limit: int = Field(default=50, ge=1, le=200, description="Most objects in the answer.")
    cursor: str | None = Field(
        default=None, min_length=1, max_length=512, description="`next_cursor` of the page before."
    )


class EnvironmentQuery(Model):
    """Which environment of a project is meant."""

    environment: "Slug" = Field(default=DEFAULT_ENVIRONMENT, description="Name of the environment.")


def _checked_text(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain NUL characters")
    return value


def _checked_json(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
        has_nul = _has_nul(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("must be plain JSON of valid Unicode and finite numbers") from error
    if size > MAX_JSON_BYTES:
        raise ValueError(f"must not be larger than {MAX_JSON_BYTES} bytes")
    if has_nul:
        raise ValueError("must not contain NUL characters")
    return value


def _has_nul(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(_has_nul(item) for item in value)
    return isinstance(value, str) and "\0" in value


def _checked_email(value: str) -> str:
    if len(value.partition("@")[0]) > 64:
        raise ValueError("must not have more than 64 characters before the @")
    return value


def _checked_host(value: str) -> str:
    try:
        return check_host(value)
    except InvalidInput as error:
        raise ValueError(error.message) from error


def _checked_path_prefix(value: str) -> str:
    try:
        return check_path_prefix(value)
    except InvalidInput as error:
        raise ValueError(error.message) from error


def _checked_tree_path(value: str) -> str:
    parts = value.split("/")
    if value.startswith("/") or ".." in parts or "\\" in value:
        raise ValueError("must be a path inside the source, without a leading slash and without `..`")
    return value


def _checked_absolute_path(value: str) -> str:
    if not value.startswith("/") or ".." in value.split("/") or value.strip("/") == "" or ":" in value:
        raise ValueError("must be an absolute path inside the instance, below /, without `..` and `:`")
    return value


Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=40)]
"""1 to 40 of a-z, 0-9 and inner hyphens."""

Reference = Annotated[str, StringConstraints(pattern=REFERENCE_PATTERN, max_length=64)]
"""An id such as `prj_01k…` or a slug; ids contain an underscore, slugs never do."""

Digest = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN, max_length=71)]
"""`sha256:` and 64 hexadecimal digits."""

VariableName = Annotated[str, StringConstraints(pattern=VARIABLE_PATTERN, max_length=128)]
"""A letter or underscore, then letters, digits and underscores; at most 128 characters."""

EmailAddress = Annotated[
    str,
    StringConstraints(pattern=EMAIL_PATTERN, max_length=254),
    AfterValidator(_checked_email),
    AfterValidator(str.lower),
]
"""A plain ASCII e-mail address (RFC 5321: dot-string and domain), kept in lower case."""

ShortText = Annotated[str, StringConstraints(max_length=255), AfterValidator(_checked_text)]
"""Up to 255 characters without NUL."""

LongText = Annotated[str, StringConstraints(max_length=65_536), AfterValidator(_checked_text)]
"""Up to 65,536 characters without NUL."""

VariableText = Annotated[str, StringConstraints(max_length=262_144), AfterValidator(_checked_text)]
"""Up to 262,144 characters without NUL."""

Argument = Annotated[str, StringConstraints(max_length=8192), AfterValidator(_checked_text)]
"""One argument of a command, up to 8,192 characters without NUL."""

Command = Annotated[list[Argument], Field(max_length=128)]
"""A command as a list of arguments; no shell reads it. Empty means the default."""

TreePath = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512),
    AfterValidator(_checked_text),
    AfterValidator(_checked_tree_path),
]
"""A path relative to the root of the source that stays inside it."""

AbsolutePath = Annotated[
    str, StringConstraints(max_length=512), AfterValidator(_checked_text), AfterValidator(_checked_absolute_path)
]
"""An absolute path inside an instance."""

Host = Annotated[str, StringConstraints(min_length=1, max_length=253), AfterValidator(_checked_host)]
"""A host name by RFC 1123, kept in lower case."""

PathPrefix = Annotated[str, StringConstraints(max_length=200), AfterValidator(_checked_path_prefix)]
"""`/` or a plain path such as `/api`, kept without a trailing slash."""

JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_checked_json)]
"""A JSON object of at most 16 KiB."""

PortNumber = Annotated[int, Field(strict=True, ge=1, le=65_535)]
"""A TCP port."""

ByteCount = Annotated[int, Field(strict=True, ge=0, le=MAX_BYTES)]
"""A number of bytes."""

Seconds = Annotated[int, Field(strict=True, ge=0, le=86_400)]
"""A whole number of seconds, at most one day."""

ReleaseNumber = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
"""The number of a release of one workload, from 1."""

Replicas = Annotated[int, Field(strict=True, ge=0, le=100)]
"""How many instances are wanted, at most 100."""

EnvironmentName = Annotated[Slug, Field(description="Name of the environment.", examples=["production"])]
"""Name of an environment of the project."""
