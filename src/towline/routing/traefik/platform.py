"""Traefik's dynamic configuration of the platform itself, as a value."""

import base64
import hashlib

from towline.errors import InvalidInput
from towline.names import check_host
from towline.routing.checks import check_server
from towline.routing.traefik.config import CERTIFICATE_RESOLVER, redirect_to_https, service
from towline.routing.traefik.doors import Config, error_page
from towline.routing.traefik.options import PlatformRoutes

API_USER = "towline"
"""User name of Traefik's API."""

_ADDRESS = r"HostRegexp(`^[0-9.]+$`) || HostRegexp(`^\[?[0-9a-fA-F]*:[0-9a-fA-F:.]*\]?$`)"
_PLATFORM, _FORMER, _SETUP, _UNKNOWN = 10_000, 20, 10, 1
"""Routes of apps lie between the platform's own host and what it merely answers as well."""


def platform_routes_config(platform: PlatformRoutes, *, api_password: str, https_port: int = 443) -> Config:
    """Platform host and bare addresses to the API, every host nobody knows to the page for 404, and Traefik's API.

    An unknown host's request itself goes nowhere (a service without servers answers it), only the page is fetched:
    a stranger's body and cookies never reach the API by that way, and the status is 404 even while the API is down.
    """
    check_server(platform.api_url)
    resolver = CERTIFICATE_RESOLVER if platform.certificate == "acme" else ""
    rule = f"Host(`{check_host(platform.host)}`)"
    routers = (
        _public_routers("platform", rule=rule, priority=_PLATFORM, resolver=resolver)
        | _former_routers(platform)
        | _public_routers("setup", rule=_setup_rule(platform), priority=_SETUP)
        | _unknown_routers()
    )
    if platform.redirect_to_https and platform.certificate != "none":
        routers["towline_platform"]["middlewares"] = ["towline_https"]
    routers["towline_api"] = {
        "rule": "PathPrefix(`/api`)",
        "entryPoints": ["traefik"],
        "service": "api@internal",
        "middlewares": ["towline_auth"],
    }
    routers["towline_figures"] = {
        "rule": "Path(`/metrics`)",
        "entryPoints": ["traefik"],
        "service": "prometheus@internal",
        "middlewares": ["towline_auth"],
    }
    middlewares: Config = {
        "towline_auth": {"basicAuth": {"users": [_user(api_password)]}},
        "towline_https": redirect_to_https(https_port),
        "towline_retry": {"retry": {"attempts": 5, "initialInterval": "100ms"}},
        "towline_unknown": error_page(503, pages="towline_platform", page="404", answers=404),
    }
    services: Config = {"towline_platform": service([platform.api_url]), "towline_nobody": service([])}
    return {"http": {"routers": routers, "services": services, "middlewares": middlewares}}


def _former_routers(platform: PlatformRoutes) -> dict[str, Config]:
    """A certificate that is there is renewed as long as that works, and none is asked for: DNS may have moved on."""
    routers: dict[str, Config] = {}
    for number, host in enumerate(platform.former_hosts, start=1):
        is_certified = platform.certificate == "acme" and host in platform.certified_hosts
        name, rule = f"former_{number}", f"Host(`{check_host(host)}`)"
        resolver = CERTIFICATE_RESOLVER if is_certified else ""
        routers |= _public_routers(name, rule=rule, priority=_FORMER, resolver=resolver)
        if is_certified:
            routers[f"towline_{name}"]["middlewares"] = ["towline_https"]
    return routers


def _public_routers(name: str, *, rule: str, priority: int, resolver: str = "") -> dict[str, Config]:
    router: Config = {
        "rule": rule,
        "priority": priority,
        "service": "towline_platform",
        "middlewares": ["towline_retry"],
    }
    return _on_both_ports(name, router, resolver=resolver)


def _unknown_routers() -> dict[str, Config]:
    router: Config = {
        "rule": "PathPrefix(`/`)",
        "priority": _UNKNOWN,
        "service": "towline_nobody",
        "middlewares": ["towline_unknown"],
    }
    return _on_both_ports("unknown", router, resolver="")


def _on_both_ports(name: str, router: Config, *, resolver: str) -> dict[str, Config]:
    tls: Config = {"certResolver": resolver} if resolver else {}
    return {
        f"towline_{name}": {**router, "entryPoints": ["web"]},
        f"towline_{name}_tls": {**router, "entryPoints": ["websecure"], "tls": tls},
    }


def _setup_rule(platform: PlatformRoutes) -> str:
    """In one order, so that the processes that write it write the same; a machine may be called what no host can be."""
    hosts = [host for host in sorted(set(platform.setup_hosts)) if _is_host(host)]
    return " || ".join([_ADDRESS, *(f"Host(`{host}`)" for host in hosts)])


def _is_host(name: str) -> bool:
    try:
        return check_host(name) == name
    except InvalidInput:
        return False


def _user(password: str) -> str:
    """An htpasswd line with SHA-1, since Towline asks the API a hundred times a second while it waits for a switch.

    That is safe because the password is random, which its length is to make sure of.
    """
    if len(password) < 16:
        raise InvalidInput("The password of Traefik's API has fewer than 16 characters.", field="traefik_api_password")
    digest = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()
    return f"{API_USER}:{{SHA}}{digest}"
