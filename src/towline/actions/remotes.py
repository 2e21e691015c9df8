"""Which remote a credential is for; no rows, no clock."""

from collections.abc import Mapping
from urllib.parse import urlsplit

Remote = tuple[str, str]
"""Kind of source, and protocol, host and port of its address (empty: it has none)."""


def remote_of(source_type: str, config: Mapping[str, object]) -> Remote:
    """The remote of a source's configuration: a credential for one is never sent to another."""
    if host := str(config.get("host") or ""):
        return source_type, host.lower()
    address = str(config.get("url") or "").lower()
    if "://" not in address:
        return source_type, "ssh://" + address.partition(":")[0].rpartition("@")[2] if address else ""
    parts = urlsplit(address)
    return source_type, f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
