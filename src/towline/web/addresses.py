"""Where a call came from: the caller's address and whether it spoke HTTPS, as far as the proxies can be believed."""

import ipaddress
import re
from typing import Final

from starlette.requests import HTTPConnection

from towline.actions.platform import Platform

_OWN_PROXY: Final = {"127.0.0.1", "::1"}
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f.:]{2,45}")


def client_address(connection: HTTPConnection) -> str:
    """The address a call came from; empty when not known.

    Only Traefik reaches the API's loopback port from outside. It replaces or extends `X-Forwarded-For`, so the last
    address there is the one it saw; what stands before it may be made up, unless a proxy of the settings wrote it.
    """
    seen = connection.client.host if connection.client is not None else ""
    if seen not in _OWN_PROXY:
        return seen
    platform: Platform = connection.app.state.platform
    named = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
    for name in reversed([name.strip() for name in named]):
        if not _ADDRESS.fullmatch(name):
            break
        seen = name
        if not _is_proxy(platform, name):
            break
    return seen


def is_secure(connection: HTTPConnection) -> bool:
    """Whether the caller speaks HTTPS, to Traefik or to a proxy before it."""
    seen = connection.client.host if connection.client is not None else ""
    if seen in _OWN_PROXY and (forwarded := connection.headers.get("x-forwarded-proto")):
        return forwarded.strip().lower() in {"https", "wss"}
    return connection.url.scheme in {"https", "wss"}


def _is_proxy(platform: Platform, name: str) -> bool:
    networks = platform.settings.trusted_proxies
    if not networks:
        return False
    try:
        address = ipaddress.ip_address(name)
        return any(address in ipaddress.ip_network(network) for network in networks)
    except ValueError:
        return False
