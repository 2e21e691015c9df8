"""Towline's own webhook: HMAC-SHA256 over time and raw body, for every source without a scheme of its own."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Literal, cast

from towline.errors import InvalidInput
from towline.sources.base import WebhookEvent

SIGNATURE_HEADER = "x-towline-signature"
TIMESTAMP_HEADER = "x-towline-timestamp"
_TOLERANCE_SECONDS = 300
_KINDS = frozenset({"push", "tag", "branch_deleted", "ping"})
_LONGEST_TEXT = 1024
_MOST_PATHS = 10_000


def sign_webhook(body: bytes, secret: str, *, timestamp: int) -> str:
    """The value of `X-Towline-Signature` for a body sent with this `X-Towline-Timestamp` (Unix seconds)."""
    signed = b"%d." % timestamp + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def validate_signed_webhook(
    headers: Mapping[str, str], body: bytes, *, secret: str, now: float | None = None
) -> WebhookEvent | None:
    """Verify the signature in constant time, then read the body; None when it is missing, wrong or older than 5 min.

    The body is empty (deploy the configured branch) or an object of `event` (push by default), `delivery_id`, `ref`,
    `revision` and `changed_paths`, each optional. InvalidInput when a signed body is none of that.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    signature = lowered.get(SIGNATURE_HEADER, "")
    timestamp = lowered.get(TIMESTAMP_HEADER, "")
    if not secret or not re.fullmatch(r"[0-9]{1,12}", timestamp):
        return None
    expected = sign_webhook(body, secret, timestamp=int(timestamp))
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
        return None
    if abs((time.time() if now is None else now) - int(timestamp)) > _TOLERANCE_SECONDS:
        return None
    return _read_event(body, delivery_id=hashlib.sha256(signature.encode()).hexdigest())


def _read_event(body: bytes, *, delivery_id: str) -> WebhookEvent:
    content = _read_object(body)
    event = _text(content, "event") or "push"
    if event not in _KINDS:
        raise InvalidInput(f"event {event!r} is none of {', '.join(sorted(_KINDS))}.", field="event")
    return WebhookEvent(
        kind=cast("Literal['push', 'tag', 'branch_deleted', 'ping']", event),
        delivery_id=_text(content, "delivery_id") or delivery_id,
        ref=_full_ref(_text(content, "ref"), is_tag=event == "tag"),
        revision=_text(content, "revision"),
        changed_paths=_paths(content),
    )


def _read_object(body: bytes) -> dict[str, object]:
    if not body.strip():
        return {}
    try:
        content: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The webhook's body is not JSON.", field="body") from error
    if not isinstance(content, dict):
        raise InvalidInput("The webhook's body is not a JSON object.", field="body")
    return cast("dict[str, object]", content)


def _text(content: Mapping[str, object], key: str) -> str:
    value = content.get(key) or ""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise InvalidInput(f"{key} in the webhook's body is not a text of at most {_LONGEST_TEXT}.", field=key)
    return value


def _full_ref(ref: str, *, is_tag: bool) -> str:
    if not ref or ref.startswith("refs/"):
        return ref
    return f"refs/tags/{ref}" if is_tag else f"refs/heads/{ref}"


def _paths(content: Mapping[str, object]) -> tuple[str, ...] | None:
    value = content.get("changed_paths")
    if value is None:
        return None
    paths = cast("list[object]", value) if isinstance(value, list) else [None]
    texts = tuple(path for path in paths if isinstance(path, str))
    if len(texts) != len(paths) or len(texts) > _MOST_PATHS:
        raise InvalidInput("changed_paths in the webhook's body is not a list of paths.", field="changed_paths")
    return texts
