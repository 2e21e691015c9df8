"""What forms of the dashboard send, as bodies of the API: text into numbers, lists and sources."""

import shlex
from collections.abc import Mapping
from typing import Any

from towline.errors import InvalidInput

Fields = Mapping[str, str]


def text(fields: Fields, name: str) -> str:
    """A field without the spaces around it; empty when it is missing."""
    return fields.get(name, "").strip()


def whole(value: str) -> int:
    """A whole number of a page's address; 0 for anything else."""
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 16 else 0


def number(fields: Fields, name: str) -> int | None:
    """A whole number, None for an empty field; InvalidInput for anything else."""
    value = text(fields, name)
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 16):
        raise InvalidInput(f"{name}: {value[:40]!r} is no whole number.", field=name)
    return int(value)


def decimal(fields: Fields, name: str) -> float | None:
    """A number such as 0.5, None for an empty field; InvalidInput for anything else."""
    value = text(fields, name)
    try:
        return float(value) if value else None
    except ValueError as error:
        raise InvalidInput(f"{name}: {value[:40]!r} is no number.", field=name) from error


def command(fields: Fields, name: str) -> list[str]:
    """A command line as its arguments; InvalidInput when a quote is not closed."""
    try:
        return shlex.split(fields.get(name, ""))
    except ValueError as error:
        raise InvalidInput(f"{name}: a quotation mark is not closed.", field=name) from error


def lines(fields: Fields, name: str) -> list[str]:
    """The lines of a field, without empty ones and the spaces around them."""
    return [line.strip() for line in fields.get(name, "").splitlines() if line.strip()]


def source(fields: Fields) -> dict[str, Any]:
    """Where a new service comes from."""
    kind = text(fields, "source")
    if kind == "git":
        config = {"url": text(fields, "url"), "branch": text(fields, "branch")}
        return {"type": "git", "config": {name: value for name, value in config.items() if value}}
    if kind == "image":
        return {"type": "custom", "config": {"image": text(fields, "image")}}
    return {"type": "upload", "config": {}}


def check_typed(fields: Fields, name: str) -> None:
    """Return when the name of what shall be deleted was typed; InvalidInput otherwise."""
    if text(fields, "confirm") != name:
        raise InvalidInput(f"Type {name!r} to confirm.", hint="Nothing was deleted.", field="confirm")
