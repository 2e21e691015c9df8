"""Image references and what registries say."""

import base64
import json

import pytest

from towline.errors import DiskFull, ImageNotFound, InvalidInput, SourceUnavailable, TowlineError
from towline.orchestrators.docker.references import (
    Reference,
    check_reference,
    parse_reference,
    registry_failure,
    registry_headers,
)
from towline.values import Credential

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "reference", "registry"),
    [
        ("nginx", Reference("nginx", "latest", is_digest=False), "https://index.docker.io/v1/"),
        ("library/nginx:1.2", Reference("library/nginx", "1.2", is_digest=False), "https://index.docker.io/v1/"),
        ("ghcr.io/a/b_c:v1", Reference("ghcr.io/a/b_c", "v1", is_digest=False), "ghcr.io"),
        ("127.0.0.1:5000/app", Reference("127.0.0.1:5000/app", "latest", is_digest=False), "127.0.0.1:5000"),
        (f"a/b:1@{DIGEST}", Reference("a/b", DIGEST, is_digest=True), "https://index.docker.io/v1/"),
    ],
)
def test_references_are_read(text: str, reference: Reference, registry: str) -> None:
    assert parse_reference(text) == reference
    assert parse_reference(text).registry == registry


@pytest.mark.parametrize(
    "text", ["", "UPPER", "a b", "../etc", "a/../b", "a:", "a@sha256:00", "-x", "a?b", "a\n", "a%2f"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_reference(text)
    assert refused.value.field == "image"


def test_ids_are_references_too() -> None:
    assert check_reference(DIGEST) == DIGEST


@pytest.mark.parametrize(
    ("message", "kind", "word"),
    [
        ("manifest for x:1 not found: manifest unknown: manifest unknown", ImageNotFound, "tag"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", ImageNotFound, "private"),
        ("unauthorized: authentication required", ImageNotFound, "private"),
        ("Get https://x/v2/: dial tcp: lookup x: no such host", SourceUnavailable, "DNS"),
        ("dial tcp 127.0.0.1:5: connect: connection refused", SourceUnavailable, "runs"),
        ("http: server gave HTTP response to HTTPS client", SourceUnavailable, "insecure-registries"),
        ("x509: certificate signed by unknown authority", SourceUnavailable, "trust"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", ImageNotFound, "processor"),
        ("toomanyrequests: You have reached your pull rate limit", SourceUnavailable, "credentials"),
        ("write /var/lib/docker/x: no space left on device", DiskFull, "disk"),
        ("something new", SourceUnavailable, "registry"),
    ],
)
def test_a_refusal_becomes_an_error_with_the_next_thing_to_try(
    message: str, kind: type[TowlineError], word: str
) -> None:
    error = registry_failure("x:1", message)
    assert type(error) is kind
    assert "x:1" in error.message
    assert word in error.hint


def test_credentials_travel_in_the_header() -> None:
    headers = registry_headers(parse_reference("ghcr.io/a/b"), Credential("ann", "geheim"))
    content = json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"]))
    assert content == {"username": "ann", "password": "geheim", "serveraddress": "ghcr.io"}
