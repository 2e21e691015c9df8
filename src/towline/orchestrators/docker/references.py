"""Image references, registry credentials and what registries say when they refuse, all pure."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Final

from towline.errors import DiskFull, ImageNotFound, InvalidInput, SourceUnavailable, TowlineError
from towline.values import Credential

_HOST: Final = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d+)?"
_NAME: Final = rf"(?:{_HOST}/)?[a-z0-9]+(?:(?:\.|_|__|-+|/)[a-z0-9]+)*"
_TAG: Final = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
_DIGEST: Final = r"sha256:[0-9a-f]{64}"
_REFERENCE: Final = re.compile(rf"(?P<name>{_NAME})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?")
_ID: Final = re.compile(rf"(?:{_DIGEST}|[0-9a-f]{{12,64}})")


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed image reference; `version` is its digest, or its tag, or `latest`."""

    name: str
    version: str
    is_digest: bool

    @property
    def text(self) -> str:
        """The reference with its version spelt out."""
        return f"{self.name}{'@' if self.is_digest else ':'}{self.version}"

    @property
    def registry(self) -> str:
        """Host of the registry, as credentials name it."""
        first, slash, _ = self.name.partition("/")
        is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
        return first if is_host else "https://index.docker.io/v1/"


def is_image_id(text: str) -> bool:
    """Whether the text is the id of an image on this machine and not a name."""
    return _ID.fullmatch(text) is not None


def parse_reference(text: str) -> Reference:
    """`[host/]name[:tag][@digest]`; InvalidInput for anything else."""
    match = _REFERENCE.fullmatch(text)
    if match is None or ".." in text or len(text) > 512:
        raise InvalidInput(
            f"The image {text!r} is not a reference such as registry.example.com/app:1.2.", field="image"
        )
    digest: str | None = match["digest"]
    return Reference(match["name"], digest or match["tag"] or "latest", is_digest=digest is not None)


def check_reference(text: str) -> str:
    """The image id or reference as given; InvalidInput for anything else."""
    if not is_image_id(text):
        parse_reference(text)
    return text


def registry_headers(reference: Reference, credential: Credential | None) -> dict[str, str]:
    """The Engine's `X-Registry-Auth` header."""
    content = {}
    if credential is not None:
        content = {
            "username": credential.username,
            "password": credential.password,
            "serveraddress": reference.registry,
        }
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(content).encode()).decode()}


_Rule = tuple[tuple[str, ...], type[TowlineError], str]
_RULES: Final[tuple[_Rule, ...]] = (
    (("no space left on device",), DiskFull, DiskFull.hint),
    (
        ("no matching manifest", "does not match the specified platform"),
        ImageNotFound,
        "The image is not made for this machine's processor; choose a tag that is, or build the image here.",
    ),
    (
        ("unauthorized", "denied", "no basic auth credentials", "authentication required"),
        ImageNotFound,
        "Check the image's name; if it is private, store a user name and password for its registry.",
    ),
    (("manifest unknown", "not found", "name unknown"), ImageNotFound, ImageNotFound.hint),
    (
        ("toomanyrequests", "rate limit"),
        SourceUnavailable,
        "Wait, or store credentials for the registry: it limits pulls.",
    ),
    (
        ("no such host", "server misbehaving", "temporary failure in name resolution"),
        SourceUnavailable,
        "Check the registry's host name and this machine's DNS.",
    ),
    (
        ("http response to https client",),
        SourceUnavailable,
        "The registry has no TLS; add it to `insecure-registries` of the Docker daemon, or give it a certificate.",
    ),
    (
        ("x509", "certificate"),
        SourceUnavailable,
        "Let the Docker daemon trust the registry's certificate (/etc/docker/certs.d).",
    ),
    (
        ("connection refused", "i/o timeout", "no route to host", "network is unreachable", "deadline exceeded"),
        SourceUnavailable,
        "Check that the registry runs and that this machine reaches it.",
    ),
)


def registry_failure(reference: str, message: str) -> TowlineError:
    """The error that a refused pull or push stands for, with the next thing to try."""
    lowered = message.lower()
    text = f"The registry did not take part for the image {reference}: {message.strip().rstrip('.')[:500]}."
    for words, kind, hint in _RULES:
        if any(word in lowered for word in words):
            return kind(text, hint=hint)
    return SourceUnavailable(text, hint="Check the image's name and its registry.")
