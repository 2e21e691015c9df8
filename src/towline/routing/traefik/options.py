"""What a Traefik router is told once, when it is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class PlatformRoutes:
    """How the platform itself is reached: `host` leads to `api_url`, and so do bare addresses and `setup_hosts`.

    A first visitor who types the server's address or the bare base domain reaches the API, which shows set-up.
    `former_hosts` lead there too; those of `certified_hosts` have a certificate.
    """

    host: str
    api_url: str
    setup_hosts: tuple[str, ...] = ()
    former_hosts: tuple[str, ...] = ()
    certified_hosts: frozenset[str] = frozenset()
    certificate: Literal["none", "default", "acme"] = "default"
    redirect_to_https: bool = False


@dataclass(frozen=True, slots=True)
class TraefikOptions:
    """Where Traefik is and what it was started with.

    `routes_dir` is the folder it watches; the folder's parent must be on the same file system and writable.
    `api_url` is the loopback address of its API. `https_port` is the one visitors see. `log_file` (JSON) and
    `acme_storage` are read to explain certificates; `public_addresses` are this machine's own, to compare DNS with.
    Until the platform's host has a certificate, every `certificate_look_seconds` is looked for one. `door_key` tells
    Towline that a request for the waker comes from its Traefik. `list_former_hosts` are the platform's of now.
    """

    routes_dir: Path
    api_url: str
    api_password: str = field(repr=False)
    platform: PlatformRoutes
    https_port: int = 443
    log_file: Path | None = None
    acme_storage: Path | None = None
    acme_email: str = ""
    public_addresses: tuple[str, ...] = ()
    certificate_look_seconds: float = 5.0
    door_key: str = field(default="", repr=False)
    list_former_hosts: Callable[[], Sequence[str]] = tuple
