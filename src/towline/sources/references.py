"""Names of container images by the grammar of the OCI distribution specification and its reference implementation."""

import re

from towline.errors import InvalidInput

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?P<tag>:{_TAG})?(?P<digest>@sha256:[a-f0-9]{{64}}|@sha512:[a-f0-9]{{128}})?"
)
_LONGEST_NAME = 255
_LONGEST = 600
# What the engine would take for an image that is already here, of whichever project: an id, or a name Towline gave it.
_TAKEN = re.compile(r"(?:sha256:)?[a-f0-9]{12,64}|(?:(?:index\.)?docker\.io/)?towline-[a-z0-9]+/.*")


def check_image_reference(value: str, *, field: str = "image") -> str:
    """Return an image reference such as `registry.example.com/shop/api:1.2`; InvalidInput naming `field` otherwise.

    https://github.com/distribution/reference/blob/main/reference.go
    """
    found = _REFERENCE.fullmatch(value) if len(value) <= _LONGEST else None
    if found is None or len(found["name"]) > _LONGEST_NAME or _TAKEN.fullmatch(value):
        raise InvalidInput(
            f"{field} {value[:200]!r} is not the name of an image, such as nginx:1.29 or ghcr.io/shop/api@sha256:….",
            field=field,
        )
    return value
