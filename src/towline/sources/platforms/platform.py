"""What differs between git platforms."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from towline.sources.base import WebhookEvent
from towline.sources.hosting import GitHost

Headers = Mapping[str, str]
"""Names in lower case."""


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform: where its repositories are, who fetches with a token, its webhooks and its API.

    `verify` tells in constant time whether a raw body was signed with the secret; `read` says what a verified one
    tells, and raises InvalidInput only for what is no JSON object.
    """

    host_api: GitHost
    verify: Callable[[Headers, bytes, str], bool]
    read: Callable[[Headers, bytes], WebhookEvent]


def is_signed(body: bytes, secret: str, signature: str) -> bool:
    """Whether a signature is the hexadecimal HMAC-SHA256 of the raw body."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))


def is_same(secret: str, given: str) -> bool:
    """Whether a token sent in clear is the secret, compared in constant time."""
    digests = (hashlib.sha256(value.encode(errors="replace")).digest() for value in (secret, given))
    return bool(secret) and hmac.compare_digest(*digests)


def delivery_of(headers: Headers, body: bytes, *names: str) -> str:
    """The id of a delivery by the first of these headers, else by what was sent."""
    found = next((headers[name] for name in names if headers.get(name)), "")
    return found[:200] or hashlib.sha256(body).hexdigest()
