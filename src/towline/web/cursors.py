"""Cursors: where a page of a list ended, opaque to callers."""

import base64
import binascii
from datetime import datetime
from typing import Any, Final, TypeVar, cast

import orjson

from towline.errors import InvalidInput

T = TypeVar("T")
_LARGEST: Final = 2**63


def encode_cursor(*key: str | float | datetime) -> str:
    """The cursor that goes on behind an object with this sort key."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, *types: type[Any]) -> tuple[Any, ...] | None:
    """The sort key of a cursor, its values of these types; None without one, InvalidInput for one that is not ours."""
    if cursor is None:
        return None
    try:
        decoded: Any = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise _bad_cursor() from error
    key = cast("list[Any]", decoded) if isinstance(decoded, list) else []
    if [type(part) for part in key] != list(types) or not all(_can_be_stored(part) for part in key):
        raise _bad_cursor()
    return tuple(key)


def decode_time(text: str) -> datetime:
    """The time in a cursor; InvalidInput for a text that is none, or has no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _bad_cursor() from error
    if moment.tzinfo is None:
        raise _bad_cursor()
    return moment


def page_of(items: list[T], *, limit: int, key: Any) -> dict[str, Any]:
    """A page from at most `limit` + 1 objects: the one too many only says that there is a next page."""
    has_more = len(items) > limit
    shown = items[:limit]
    return {"items": shown, "next_cursor": encode_cursor(*key(shown[-1])) if has_more else None}


def _can_be_stored(part: Any) -> bool:
    return "\0" not in part if isinstance(part, str) else abs(part) < _LARGEST


def _bad_cursor() -> InvalidInput:
    hint = "Pass `next_cursor` of the page before, or leave it out."
    return InvalidInput("cursor is not one that this list gave.", field="cursor", hint=hint)
