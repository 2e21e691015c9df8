"""Reading webhook payloads: JSON of unknown shape, looked into without ever failing on it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qs

from towline.errors import InvalidInput

_LONGEST_TEXT: Final = 10_000
_MOST_PATHS: Final = 10_000
_NO_COMMIT: Final = frozenset("0")


def read_payload(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body, also of one sent as a form with a field `payload`; InvalidInput for anything else."""
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        body = parse_qs(body.decode(errors="replace")).get("payload", [""])[0].encode()
    try:
        content: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The webhook's body is not JSON.", field="body") from error
    if not isinstance(content, dict):
        raise InvalidInput("The webhook's body is not a JSON object.", field="body")
    return cast("Mapping[str, Any]", content)


def part(content: object, *keys: str) -> Any:
    """What is under a path of keys; None where a key is missing or something on the way is no object."""
    for key in keys:
        if not isinstance(content, dict):
            return None
        content = cast("Mapping[str, Any]", content).get(key)
    return content


def text(content: object, *keys: str) -> str:
    """The text under a path of keys, at most 10,000 characters; empty where there is none."""
    value = part(content, *keys)
    return value[:_LONGEST_TEXT].replace("\0", "") if isinstance(value, str) else ""


def number(content: object, *keys: str) -> int:
    """The whole number under a path of keys; 0 where there is none."""
    value = part(content, *keys)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else 0


def items(content: object, *keys: str) -> list[Any]:
    """The list under a path of keys; empty where there is none."""
    value = part(content, *keys)
    return cast("list[Any]", value) if isinstance(value, list) else []


def is_no_commit(revision: str) -> bool:
    """Whether a commit id stands for none: a ref that was made or deleted."""
    return not revision or set(revision) <= _NO_COMMIT


def list_changed_paths(commits: Iterable[object], *, is_complete: bool) -> tuple[str, ...] | None:
    """Paths added, changed or removed by commits with such lists; None when they are not all there."""
    if not is_complete:
        return None
    paths: dict[str, None] = {}
    for commit in commits:
        found = list(_paths_of(commit))
        if not found or len(paths) + len(found) > _MOST_PATHS:
            return None
        paths.update(dict.fromkeys(found))
    return tuple(paths) or None


def texts(*values: str) -> tuple[str, ...]:
    """Those that are not empty."""
    return tuple(value for value in values if value)


def _paths_of(commit: object) -> Iterator[str]:
    for key in ("added", "modified", "removed"):
        yield from (path for path in items(commit, key) if isinstance(path, str))
