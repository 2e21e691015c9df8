"""Traefik's dynamic configuration of one owner, as a value."""

import hashlib
import ipaddress
from collections.abc import Sequence

import orjson

from towline.names import wildcard_of
from towline.routing.checks import check_owner, check_routes
from towline.routing.traefik.doors import Config, Doors
from towline.values import Middlewares, Route

CERTIFICATE_RESOLVER = "letsencrypt"
"""Name of the ACME resolver in the static configuration."""

WILDCARD_RESOLVER = "wildcard"
"""Name of the one that asks for wildcards, by a DNS provider."""

REVISION_HEADER = "X-Towline-Revision"
_ROUTE_PRIORITY = 1000
# A retry goes to whichever server is next, and with one of three just dead that may be the dead one again and again:
# three attempts lost one request in 27 of those that began there, six lose one in 700.
_RETRY: Config = {"attempts": 6, "initialInterval": "20ms"}
# Without a short dial timeout a vanished address black-holes the request and every retry of it. Idle connections are
# dropped before the usual keep-alive limits of apps (gunicorn 2 s, Node 5 s) can close them under a POST, and before
# the drain ends, so that what is still open then is a request.
_TRANSPORT: Config = {
    "forwardingTimeouts": {"dialTimeout": "250ms", "idleConnTimeout": "800ms"},
    "maxIdleConnsPerHost": 64,
}


def traefik_config(
    owner: str, routes: Sequence[Route], *, https_port: int = 443, doors_url: str = "", door_key: str = ""
) -> Config:
    """The dynamic configuration of one owner, ready to be rendered; raises InvalidInput for a route it cannot carry.

    Routers and services bear the route's key; what routes share bears the owner's name
    and an underscore, which keys cannot hold, so names and files never clash.
    `doors_url` is where Towline's own doors are (see routing.traefik.doors); without it a route that has no servers
    answers Traefik's bare 503, and a guarded one is refused. A request is retried only while no byte of it has reached
    a server, so a POST is never sent twice (Traefik's retry middleware without `status`).
    """
    check_owner(owner)
    check_routes(routes)
    doors = Doors(owner, doors_url, door_key)
    middlewares: Config = {f"{owner}_retry": {"retry": _RETRY}}
    services: Config = {}
    routers: Config = {}
    if any(route.redirect_to_https for route in routes):
        middlewares[f"{owner}_https"] = redirect_to_https(https_port)
    if doors_url and any(not route.servers for route in routes):
        services[doors.service] = service([doors_url])
    for route in sorted(routes, key=lambda route: route.key):
        passed = {**doors.before(route), **route_middlewares(route), **doors.after(route)}
        middlewares |= passed
        is_retried = bool(route.servers or doors.is_waking(route))
        routers |= _routers(route, [*passed, *[f"{owner}_retry"] * is_retried], owner=owner, doors=doors)
        services[route.key] = service(route.servers, transport=f"{owner}_transport")
    http = {"routers": routers, "services": services, "serversTransports": {f"{owner}_transport": _TRANSPORT}}
    middlewares[revision_name(owner)] = _revision({**http, "middlewares": middlewares})
    return {"http": {**http, "middlewares": middlewares}}


def certificate_config(certificate_pem: str, key_pem: str) -> Config:
    """Dynamic configuration that holds a certificate and its key, both as PEM; a changed pair is a changed file."""
    return {"tls": {"certificates": [{"certFile": certificate_pem, "keyFile": key_pem}]}}


def revision_name(owner: str) -> str:
    """Name of the unused middleware by which Traefik's API tells which revision of the owner's file it has taken."""
    return f"{owner}_revision"


def render(config: Config) -> bytes:
    """The bytes of a configuration file: JSON, which is also the YAML that Traefik's file provider reads.

    Traefik runs each file through Go's template engine first, so `{{` is written as its JSON escape and reaches
    Traefik exactly as it was given.
    """
    rendered = orjson.dumps(config, option=orjson.OPT_SORT_KEYS).replace(b"{{", b"\\u007b\\u007b")
    if orjson.loads(rendered) != config or not rendered.isascii():
        raise ValueError("a configuration that would not be read back as it was meant")
    return rendered


def get_revision(content: bytes, owner: str) -> str:
    """The revision that an owner's rendered file carries."""
    middlewares = orjson.loads(content)["http"]["middlewares"]
    return str(middlewares[revision_name(owner)]["headers"]["customResponseHeaders"][REVISION_HEADER])


def get_servers(content: bytes) -> frozenset[str]:
    """Every server in a rendered file, but for Towline's own doors."""
    services = orjson.loads(content).get("http", {}).get("services", {})
    found = [one["loadBalancer"]["servers"] for name, one in services.items() if not name.endswith("_doors")]
    return frozenset(server["url"] for servers in found for server in servers)


def _revision(config: Config) -> Config:
    digest = hashlib.sha256(orjson.dumps(config, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    return {"headers": {"customResponseHeaders": {REVISION_HEADER: digest}}}


def service(servers: Sequence[str], *, transport: str = "") -> Config:
    """A service with these servers; without any it answers 503."""
    balancer: Config = {"servers": [{"url": server} for server in servers]}
    return {"loadBalancer": {**balancer, "serversTransport": transport} if transport else balancer}


def _routers(route: Route, middlewares: Sequence[str], *, owner: str, doors: Doors) -> Config:
    router: Config = {
        "rule": _rule(route),
        "priority": _priority(route),
        "service": doors.service if doors.is_waking(route) else route.key,
        "middlewares": list(middlewares),
    }
    if route.internal_from:
        return {route.key: {**router, "entryPoints": ["internal"]}}
    plain: Config = {**router, "entryPoints": ["web"]}
    if route.certificate == "none":
        return {route.key: plain}
    if route.redirect_to_https:
        plain["middlewares"] = [f"{owner}_https"]
    return {route.key: plain, f"{route.key}_tls": {**router, "entryPoints": ["websecure"], "tls": _tls(route)}}


def _tls(route: Route) -> Config:
    if route.certificate == "wildcard":
        return {"certResolver": WILDCARD_RESOLVER, "domains": [{"main": wildcard_of(route.host)}]}
    return {"certResolver": CERTIFICATE_RESOLVER} if route.certificate == "acme" else {}


def _priority(route: Route) -> int:
    """The longer path wins, and among routes for callers of some networks the one for narrower networks."""
    narrowness = min((ipaddress.ip_network(network).prefixlen for network in route.internal_from), default=0)
    return _ROUTE_PRIORITY + len(route.path_prefix) + narrowness


def _rule(route: Route) -> str:
    rule = f"Host(`{route.host}`)"
    if route.path_prefix != "/":
        # PathPrefix alone would also take /apiary for /api.
        rule += f" && (Path(`{route.path_prefix}`) || PathPrefix(`{route.path_prefix}/`))"
    if route.internal_from:
        callers = [f"ClientIP(`{network}`)" for network in route.internal_from]
        rule += f" && ({' || '.join(callers)})" if callers[1:] else f" && {callers[0]}"
    return rule


def redirect_to_https(https_port: int) -> Config:
    """A middleware that sends plain HTTP to the port visitors see for HTTPS."""
    port: Config = {} if https_port == 443 else {"port": str(https_port)}
    return {"redirectScheme": {"scheme": "https", "permanent": True, **port}}


def route_middlewares(route: Route) -> Config:
    """A route's middlewares by name, in the order that a request meets them."""
    wanted = _wanted_middlewares(route.middlewares)
    if route.middlewares.strip_prefix and route.path_prefix != "/":
        wanted["strip"] = {"stripPrefix": {"prefixes": [route.path_prefix]}}
    return {f"{route.key}_{name}": middleware for name, middleware in wanted.items()}


def _wanted_middlewares(wanted: Middlewares) -> Config:
    """In the order a request meets them: who may enter, then where it goes, then how it is changed."""
    found: Config = {}
    if wanted.allow_addresses:
        found["allow"] = {"ipAllowList": {"sourceRange": list(wanted.allow_addresses)}}
    if wanted.redirect_to:
        found["redirect"] = _redirect(wanted.redirect_to)
    if wanted.basic_auth:
        found["auth"] = {"basicAuth": {"users": list(wanted.basic_auth), "removeHeader": True}}
    if wanted.rate_average:
        burst = wanted.rate_burst or wanted.rate_average
        found["rate"] = {"rateLimit": {"average": wanted.rate_average, "burst": burst}}
    if wanted.max_body_bytes:
        found["body"] = {"buffering": {"maxRequestBodyBytes": wanted.max_body_bytes}}
    if wanted.headers:
        found["headers"] = {"headers": {"customResponseHeaders": dict(wanted.headers)}}
    if wanted.compress:
        found["compress"] = {"compress": {"excludedContentTypes": ["text/event-stream", "application/grpc"]}}
    return found


def _redirect(target: str) -> Config:
    replacement = target.rstrip("/").replace("$", "$$") + "${1}"
    return {"redirectRegex": {"regex": "^https?://[^/]+(.*)$", "replacement": replacement, "permanent": True}}
