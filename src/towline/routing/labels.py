"""Labels mode: containers carry what a Traefik that the user already runs reads from Docker."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast

from towline.errors import Conflict, InvalidInput
from towline.names import check_host
from towline.routing.base import Router
from towline.routing.checks import check_owner, check_routes
from towline.routing.traefik.config import route_middlewares
from towline.values import Route


def traefik_labels(
    *, project_id: str, service_id: str, routes: Sequence[Route], port: int, network: str = ""
) -> dict[str, str]:
    """The founding document's labels: enable, router rule, service port, TLS and its certificate resolver.

    Hosts whose routes differ in nothing else share a router; further routers get a number. `network` names the Docker
    network by which Traefik reaches the container, needed as soon as it is in more than one. Raises InvalidInput for
    a host or id that would change the rule.
    """
    name = f"{project_id}-{service_id}"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise InvalidInput(f"{name!r} cannot be part of a label's name.", field="service_id")
    if not routes:
        raise InvalidInput(f"{name} has no host to route.", field="hosts")
    check_routes(routes)
    labels = {
        "traefik.enable": "true",
        f"traefik.http.services.{name}.loadbalancer.server.port": str(port),
    }
    for number, group in enumerate(_alike(routes), start=1):
        labels |= _router_labels(name if number == 1 else f"{name}-{number}", group)
    if network:
        labels["traefik.docker.network"] = network
    return labels


def _alike(routes: Sequence[Route]) -> list[list[Route]]:
    """Routes in groups that differ by key, host and servers alone."""
    groups: list[tuple[Route, list[Route]]] = []
    for route in routes:
        rest = replace(route, key="", host="", servers=())
        group = next((members for kind, members in groups if kind == rest), None)
        if group is None:
            groups.append((rest, [route]))
        else:
            group.append(route)
    return [members for _, members in groups]


def _router_labels(name: str, routes: Sequence[Route]) -> dict[str, str]:
    route, router = routes[0], f"traefik.http.routers.{name}"
    rule = " || ".join(f"Host(`{check_host(one.host)}`)" for one in routes)
    if route.path_prefix != "/":
        prefix = route.path_prefix
        rule = f"({rule}) && (Path(`{prefix}`) || PathPrefix(`{prefix}/`))"
    labels = {f"{router}.rule": rule}
    middlewares = route_middlewares(replace(route, key=name))
    if middlewares:
        labels[f"{router}.middlewares"] = ",".join(middlewares)
        labels |= _flat("traefik.http.middlewares", middlewares)
    if route.certificate == "none":
        return labels
    labels[f"{router}.tls"] = "true"
    if route.certificate != "own":
        labels[f"{router}.tls.certresolver"] = "letsencrypt"
    if route.redirect_to_https:
        labels |= {
            f"{router}-plain.rule": rule,
            f"{router}-plain.middlewares": f"{name}-https",
            f"traefik.http.middlewares.{name}-https.redirectscheme.scheme": "https",
            f"traefik.http.middlewares.{name}-https.redirectscheme.permanent": "true",
        }
    return labels


def _flat(place: str, value: object) -> dict[str, str]:
    """Configuration as labels: keys joined by dots, lists by commas."""
    if isinstance(value, dict):
        entries = cast("dict[str, object]", value).items()
        return {name: text for key, inner in entries for name, text in _flat(f"{place}.{key}", inner).items()}
    if isinstance(value, list):
        return {place: ",".join(map(str, cast("list[object]", value)))}
    return {place: str(value).lower() if isinstance(value, bool) else str(value)}


class LabelsRouter(Router):
    """For a Traefik of the user's own: routes live in the containers' labels, so nothing is published or confirmed.

    Without a confirmation zero downtime needs the app's help: a HEALTHCHECK, and answering a while after SIGTERM.
    """

    kind = "labels"

    def instance_labels(
        self, *, project_id: str, service_id: str, routes: Sequence[Route], port: int
    ) -> dict[str, str]:
        """The labels by which that Traefik finds the instances; none for a service without a host."""
        return traefik_labels(project_id=project_id, service_id=service_id, routes=routes, port=port) if routes else {}

    async def publish(self, owner: str, routes: Sequence[Route]) -> None:
        """Check the list; the labels were written when the containers were made."""
        check_owner(owner)
        check_routes(routes)

    async def wait_until_confirmed(self, owner: str, routes: Sequence[Route], *, timeout: timedelta) -> None:
        """Return at once: that Traefik's API is not Towline's to ask."""

    async def remove(self, owner: str) -> None:
        """Nothing to do: labels go with their containers."""

    async def publish_platform(self) -> None:
        """Nothing: how Towline is reached is told to that Traefik by whoever runs it."""

    async def list_owners(self) -> Sequence[str]:
        """None: no list is kept."""
        return []

    async def put_certificate(self, host: str, *, certificate_pem: str, key_pem: str) -> None:
        """Refused: certificates are that Traefik's own matter."""
        del certificate_pem, key_pem
        raise Conflict(
            f"The certificate for {host} cannot be set: in labels mode your own Traefik holds the certificates.",
            hint="Add the certificate to your Traefik's dynamic configuration.",
        )

    async def remove_certificate(self, host: str) -> None:
        """Nothing to do: none was ever taken."""

    async def get_certificate_problem(self, host: str) -> str:
        """Empty: that Traefik's log is not Towline's to read."""
        check_host(host)
        return ""

    async def get_open_requests(self, owner: str, *, servers: Sequence[str] = ()) -> Mapping[str, int]:
        """Empty: that Traefik may run in a network of its own, whose connections are not seen from here."""
        del owner, servers
        return {}

    async def ping(self) -> str:
        """Always there, as there is nothing to reach."""
        return "labels"

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[None]:
        """Nothing to hold."""
        yield
