"""Which repository an address leads to, by one name for all of its addresses; no rows."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

_SCP: Final = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^:]+)")


def to_repository(address: str) -> str:
    """`host/owner/name` in lower case, the same for every address of one repository; empty for what is none."""
    if "://" in address:
        parts = urlsplit(address)
        host, path = parts.hostname or "", parts.path
    elif match := _SCP.fullmatch(address):
        host, path = match["host"], match["path"]
    else:
        return ""
    path = path.strip("/").removesuffix(".git").strip("/")
    return f"{host}/{path}".lower() if host and path else ""


def repository_of(config: Mapping[str, Any]) -> str:
    """The repository that a service's source names; empty when it is built from none."""
    if config.get("url"):
        return to_repository(str(config["url"]))
    if config.get("repository") and config.get("host"):
        return to_repository(f"https://{config['host']}/{config['repository']}")
    return ""
