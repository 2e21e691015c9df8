"""What pydantic found wrong with a value, in words that people can act on."""

import re
from typing import Any, Final

from towline.contract.base import DIGEST_PATTERN, EMAIL_PATTERN, REFERENCE_PATTERN, VARIABLE_PATTERN, VOLUME_PATTERN
from towline.contract.deployments import IMAGE_PATTERN
from towline.names import SLUG_PATTERN

_WORDS: Final = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text",
}
PATTERNS: Final = {
    SLUG_PATTERN: "must be 1 to 40 of a-z, 0-9 and hyphens, with no hyphen at either end",
    REFERENCE_PATTERN: "must be a name (a-z, 0-9 and hyphens) or an id",
    VARIABLE_PATTERN: "must begin with a letter or underscore and go on with letters, digits and underscores",
    VOLUME_PATTERN: "must begin with a-z or 0-9 and go on with a-z, 0-9, dots, underscores and hyphens",
    DIGEST_PATTERN: "must be sha256: and 64 hexadecimal digits",
    EMAIL_PATTERN: "must be an e-mail address",
    r"^/[!-~]*$": "must begin with a slash and have no spaces",
    r"^[!-~]+$": "must have no spaces and be of ASCII characters",
    r"^[!-~]*$": "must have no spaces and be of ASCII characters",
    r"^[ -~]+$": "must be of ASCII characters",
    r"^(?:https?://[!-~]+)?$": "must begin with https:// or http:// and have no spaces",
    r"^[0-9A-Za-z*/,\-#]+( [0-9A-Za-z*/,\-#]+){4}$": "must have five parts, such as 30 2 * * 1-5",
    r"^[A-Za-z0-9_+\-/]+$": "must be a time zone, such as Europe/Berlin",
    IMAGE_PATTERN: "must be an image such as nginx:alpine or registry.example.com/shop/api@sha256:…",
}


def fault_text(error: Any) -> str:
    """What is wrong, to be read after the field's name; `error` is one of pydantic's `ErrorDetails`."""
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    known = PATTERNS.get(message.removeprefix("String should match pattern '").removesuffix("'"))
    return known or _WORDS.get(error["type"]) or re.sub(r"^[A-Z][a-z]+ should ", "must ", message)
