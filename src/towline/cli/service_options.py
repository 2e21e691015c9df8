"""Options for service settings, and their values turned into the API's fields."""

import json
import os
import re
import shlex
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from towline.errors import InvalidInput

Port = Annotated[int | None, typer.Option("--port", metavar="N", min=1, max=65_535, help="Port the app listens on.")]
StartCommand = Annotated[
    str | None, typer.Option("--start-command", metavar="COMMAND", help="Command instead of the image's own.")
]
Health = Annotated[
    str | None,
    typer.Option(
        "--health",
        metavar="CHECK",
        help="/path, tcp, process, image, auto, or command:ARGUMENTS (run in the instance).",
    ),
]
Memory = Annotated[str | None, typer.Option("--memory", metavar="SIZE", help="Memory of an instance, such as 512M.")]
Cpus = Annotated[float | None, typer.Option("--cpus", metavar="N", min=0.01, help="CPUs of an instance, such as 0.5.")]
Volumes = Annotated[
    list[str] | None, typer.Option("--volume", metavar="NAME:/PATH", help="Volume; may be given several times.")
]
Arguments = Annotated[
    list[str] | None, typer.Option("--build-arg", metavar="NAME=VALUE", help="Build argument; several times.")
]
BuildSecrets = Annotated[
    list[str] | None,
    typer.Option(
        "--build-secret", metavar="NAME[=VALUE]", help="Build secret; without =VALUE taken from the environment."
    ),
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=JSON", help="Any other field of the API, such as drain_seconds=5."),
]

_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def settings_from(extra: Sequence[str] | None, **options: Any) -> dict[str, Any]:
    """The fields of a service that the options name; options not given are left out."""
    fields: dict[str, Any] = {}
    for name, value in options.items():
        if value is not None:
            field, read = _READERS.get(name, (name, _unchanged))
            fields[field] = read(value)
    for text in extra or ():
        name, value = split_assignment(text, option="--set")
        fields[name] = _json_or_text(value)
    return fields


def split_assignment(text: str, *, option: str) -> tuple[str, str]:
    """`NAME=VALUE` in two; InvalidInput otherwise."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"{option} {text!r} is not of the form NAME=VALUE.", field=option.lstrip("-"))
    return name, value


def read_size(text: str) -> int:
    """`512M`, `1.5G`, `64MiB` or plain bytes as a number of bytes."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmg]?i?)b?", text.strip().lower())
    if match is None or match[2] == "i":
        raise InvalidInput(f"{text!r} is not a size such as 512M or 1.5G.", field="memory")
    return int(float(match[1]) * _UNITS[match[2]])


def read_health(text: str) -> dict[str, Any]:
    """A health check as the API has it."""
    if text.startswith("/"):
        return {"kind": "http", "path": text}
    if text.startswith("command:"):
        return {"kind": "command", "command": read_command(text.removeprefix("command:"))}
    return {"kind": text}


def read_command(text: str) -> list[str]:
    """A command line split into arguments by the shell's quoting rules; no shell ever reads it."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"The command {text!r} has an open quote.") from error


def _read_volumes(texts: Sequence[str]) -> list[dict[str, str]]:
    volumes: list[dict[str, str]] = []
    for text in texts:
        name, colon, path = text.partition(":")
        if not colon:
            raise InvalidInput(f"--volume {text!r} is not of the form NAME:/PATH.", field="volume")
        volumes.append({"name": name, "path": path})
    return volumes


def _read_arguments(texts: Sequence[str]) -> dict[str, str]:
    return dict(split_assignment(text, option="--build-arg") for text in texts)


def _read_secrets(texts: Sequence[str]) -> dict[str, str]:
    secrets: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals and name not in os.environ:
            raise InvalidInput(
                f"The environment has no {name} for --build-secret.", hint=f"Export {name}, or pass {name}=VALUE."
            )
        secrets[name] = value if equals else os.environ[name]
    return secrets


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _unchanged(value: Any) -> Any:
    return value


_READERS: Final[dict[str, tuple[str, Any]]] = {
    "start_command": ("start_command", read_command),
    "health": ("health", read_health),
    "memory": ("memory_bytes", read_size),
    "volumes": ("volumes", _read_volumes),
    "build_arguments": ("build_arguments", _read_arguments),
    "build_secrets": ("build_secrets", _read_secrets),
}
