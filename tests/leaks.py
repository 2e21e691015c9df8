"""Secrets that a run used, and where its logs tell one: all that is asked of every Towline that tests start."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import httpx2

_SECRET_FIELDS: Final = {"password", "new_password", "secret", "client_secret", "token", "private_key", "recovery_code"}
_SHORTEST: Final = 8
_OWN: Final = re.compile(r"(?:tw[a-z]{1,2}_[0-9A-Za-z_-]{39,43}|towline-key-1 [A-Za-z0-9+/]{43}=)(?![0-9A-Za-z_-])")
"""Keys, sessions and webhook secrets of Towline's own form, and keys of its key file."""


class Secrets:
    """The secrets that one Towline was given."""

    def __init__(self, *values: str) -> None:
        self.values = set(values)

    def watch(self, client: httpx2.Client) -> None:
        """Keep the secrets of every request that a client sends."""
        client.event_hooks["request"].append(self._note)

    def add_files(self, folder: Path) -> None:
        """Keep what the files of secrets of a data folder hold."""
        for file in folder.iterdir() if folder.is_dir() else ():
            words = file.read_text(errors="replace").split()
            self.values.update(word for word in words if len(word) > 2 * _SHORTEST)

    def find_leaks(self, folder: Path) -> dict[str, list[str]]:
        """The beginnings of the secrets that the log files of a folder hold, by file."""
        found: dict[str, list[str]] = {}
        for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
            text = file.read_text(errors="replace") if file.is_file() else ""
            if told := sorted({secret[:10] for secret in find_in(text, self.values)}):
                found[file.name] = told
        return found

    def _note(self, request: httpx2.Request) -> None:
        if "json" in request.headers.get("content-type", ""):
            self.values.update(_secrets_of(json.loads(request.read() or b"null")))


def find_in(text: str, secrets: Iterable[str]) -> Iterator[str]:
    """Known secrets, and what has the form of one, in a text."""
    yield from (secret for secret in secrets if secret in text)
    yield from _OWN.findall(text)


def _secrets_of(body: Any) -> Iterator[str]:
    if isinstance(body, list):
        for item in cast("list[Any]", body):
            yield from _secrets_of(item)
    if isinstance(body, dict):
        given = cast("dict[str, Any]", body)
        names = _SECRET_FIELDS | ({"value"} if given.get("is_secret") else set[str]())
        for name, value in given.items():
            if isinstance(value, dict | list):
                yield from _secrets_of(value)
            elif name in names and isinstance(value, str) and len(value) >= _SHORTEST:
                yield value
