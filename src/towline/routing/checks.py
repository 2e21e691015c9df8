"""Refuses routes that Traefik could read as something else than what they say."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from towline.errors import InvalidInput
from towline.names import check_host, check_path_prefix
from towline.values import Middlewares, Route

_OWNER = r"[a-z0-9][a-z0-9_-]{0,79}"
_KEY = r"[a-z0-9][a-z0-9-]{0,99}"
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}"
_PRINTABLE = r"[\x20-\x7e]{0,4000}"


def check_owner(owner: str) -> str:
    """Return the owner when it is safe as a file name and in Traefik names; raise InvalidInput otherwise."""
    if not re.fullmatch(_OWNER, owner) or owner == "towline":
        raise InvalidInput(f"{owner!r} cannot own routes: use a-z, 0-9, hyphen and underscore.", field="owner")
    return owner


def check_routes(routes: Sequence[Route]) -> None:
    """Raise InvalidInput naming the field of the first route that cannot be written; keys must be unique."""
    keys = [route.key for route in routes]
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidInput(f"Two routes have the key {twice!r}.", field="key")
    for route in routes:
        _check_route(route)


def check_server(url: str) -> str:
    """Return a server's address when it is plain `http://ip:port`; raise InvalidInput otherwise."""
    try:
        parts = urlsplit(url)
        host = ipaddress.ip_address(parts.hostname or "")
        netloc = f"[{host}]:{parts.port}" if host.version == 6 else f"{host}:{parts.port}"
        is_plain = url == f"http://{netloc}" and bool(parts.port)
    except ValueError:
        is_plain = False
    if not is_plain:
        raise InvalidInput(f"The server {url!r} is not an address such as http://10.0.0.2:8080.", field="servers")
    return url


def _check_route(route: Route) -> None:
    if not re.fullmatch(_KEY, route.key):
        raise InvalidInput(f"The route key {route.key!r} is not made of a-z, 0-9 and hyphens.", field="key")
    if check_host(route.host) != route.host:
        raise InvalidInput(f"The host {route.host!r} must be lower case, without a last dot.", field="host")
    if check_path_prefix(route.path_prefix) != route.path_prefix:
        raise InvalidInput(f"The path prefix {route.path_prefix!r} must be / or like /api.", field="path_prefix")
    for server in route.servers:
        check_server(server)
    _check_networks(route.internal_from, field="internal_from")
    _check_middlewares(route.middlewares)


def _check_middlewares(middlewares: Middlewares) -> None:
    _check_networks(middlewares.allow_addresses, field="allow_addresses")
    for line in middlewares.basic_auth:
        if ":" not in line or not re.fullmatch(_PRINTABLE, line):
            raise InvalidInput(
                "A basic_auth line is not of the form name:hash (as htpasswd prints it).", field="basic_auth"
            )
    for name, value in middlewares.headers.items():
        if not re.fullmatch(_HEADER_NAME, name):
            raise InvalidInput(f"{name!r} is not a header name.", field="headers")
        if not re.fullmatch(_PRINTABLE, value):
            raise InvalidInput(f"The value of the header {name} is not plain text on one line.", field="headers")
    if min(middlewares.rate_average, middlewares.rate_burst, middlewares.max_body_bytes) < 0:
        raise InvalidInput("Rates and sizes of a route cannot be negative.", field="middlewares")
    if middlewares.redirect_to:
        _check_redirect(middlewares.redirect_to)


def _check_networks(networks: Iterable[str], *, field: str) -> None:
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise InvalidInput(f"{field} {network!r} is not a network such as 10.0.0.0/8.", field=field) from error


def _check_redirect(target: str) -> None:
    try:
        parts = urlsplit(target)
        is_valid = parts.scheme in {"http", "https"} and bool(check_host(parts.hostname or "")) and parts.port != 0
    except (ValueError, InvalidInput):
        is_valid = False
    if not is_valid or not re.fullmatch(r"[\x21-\x7e]{1,2000}", target):
        raise InvalidInput(
            f"redirect_to {target!r} is not an address such as https://example.com.", field="redirect_to"
        )
