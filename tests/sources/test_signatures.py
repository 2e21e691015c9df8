"""Towline's own webhook: only what was signed just now is read."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from towline.errors import InvalidInput
from towline.sources.base import WebhookEvent
from towline.sources.custom import CustomSource
from towline.sources.git.source import GitSource
from towline.sources.signatures import sign_webhook, validate_signed_webhook
from towline.sources.upload import UploadSource
from towline.storage.local import LocalStorage

SECRET = "whsec-0123456789"
NOW = 1_750_000_000


def signed(body: bytes, *, timestamp: int = NOW, secret: str = SECRET) -> dict[str, str]:
    return {
        "X-Towline-Signature": sign_webhook(body, secret, timestamp=timestamp),
        "X-Towline-Timestamp": str(timestamp),
    }


def validate(headers: Mapping[str, str], body: bytes, *, secret: str = SECRET) -> WebhookEvent | None:
    return validate_signed_webhook(headers, body, secret=secret, now=NOW)


def test_signature_is_what_openssl_makes() -> None:
    """`printf '1750000000.{}' | openssl dgst -sha256 -hmac whsec-0123456789`."""
    assert (
        sign_webhook(b"{}", SECRET, timestamp=NOW)
        == "sha256=1624b72c1355d4044f11ca6f8d0880661cfb1ba7743c5f3a449e6b48df80d17b"
    )


def test_push_is_read() -> None:
    body = json.dumps(
        {"event": "push", "ref": "main", "revision": "a" * 40, "changed_paths": ["web/x"], "delivery_id": "d1"}
    ).encode()
    assert validate(signed(body), body) == WebhookEvent("push", "d1", "refs/heads/main", "a" * 40, ("web/x",))


def test_empty_body_asks_for_the_configured_branch() -> None:
    event = validate(signed(b""), b"")
    assert event is not None
    assert (event.kind, event.ref, event.revision, event.changed_paths) == ("push", "", "", None)


def test_tag_gets_its_full_ref_and_header_case_does_not_matter() -> None:
    body = b'{"event": "tag", "ref": "v1"}'
    event = validate({name.lower(): value for name, value in signed(body).items()}, body)
    assert event is not None
    assert (event.kind, event.ref) == ("tag", "refs/tags/v1")


def test_redelivery_has_the_same_id() -> None:
    first, second = (validate(signed(b""), b"") for _ in range(2))
    other = validate(signed(b"", timestamp=NOW + 1), b"")
    assert first is not None
    assert second is not None
    assert other is not None
    assert first.delivery_id == second.delivery_id != other.delivery_id


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Towline-Signature": signed(b"{}")["X-Towline-Signature"]},
        {"X-Towline-Timestamp": str(NOW)},
        signed(b"{ }"),
        signed(b"{}", secret="other"),
        signed(b"{}", timestamp=NOW - 301),
        signed(b"{}", timestamp=NOW + 301),
        signed(b"{}") | {"X-Towline-Timestamp": str(NOW + 1)},
        signed(b"{}") | {"X-Towline-Timestamp": "\u0661"},
        signed(b"{}") | {"X-Towline-Timestamp": "9" * 400},
        signed(b"{}") | {"X-Towline-Signature": "sha256=\u00e9\udcff"},
        signed(b"{}") | {"X-Towline-Signature": signed(b"{}")["X-Towline-Signature"].removeprefix("sha256=")},
    ],
)
def test_missing_wrong_and_old_signatures_say_nothing(headers: dict[str, str]) -> None:
    assert validate(headers, b"{}") is None


def test_empty_secret_signs_nothing() -> None:
    assert validate(signed(b"{}", secret=""), b"{}", secret="") is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"no json", "body"),
        (b"[]", "body"),
        (b"[" * 100_000, "body"),
        (b"\xff", "body"),
        (b'{"event": "explode"}', "event"),
        (b'{"event": 1}', "event"),
        (b'{"ref": ["x"]}', "ref"),
        (b'{"changed_paths": "x"}', "changed_paths"),
        (b'{"changed_paths": [1]}', "changed_paths"),
    ],
)
def test_signed_nonsense_names_the_field(body: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        validate(signed(body), body)
    assert refused.value.field == field


def test_every_source_without_its_own_scheme_takes_it(storage: LocalStorage, tmp_path: Path) -> None:
    sources = (
        GitSource(storage.store_tree, tmp_path),
        UploadSource(storage.store_tree, tmp_path),
        CustomSource(storage.store_tree, tmp_path),
    )
    headers = signed(b"", timestamp=int(time.time()))
    for source in sources:
        assert source.validate_webhook(headers, b"", SECRET) is not None
        assert source.validate_webhook(headers, b"x", SECRET) is None
