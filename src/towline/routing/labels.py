"""Labels mode: containers carry what a Traefik that the user already runs reads from Docker."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from towline.errors import Conflict, InvalidInput
from towline.names import check_host
from towline.routing.base import Router
from towline.routing.checks import check_owner, check_routes
from towline.values import Route


def traefik_labels(
    *, project_id: str, service_id: str, hosts: Sequence[str], port: int, has_tls: bool = True, network: str = ""
) -> dict[str, str]:
    """The founding document's labels: enable, router rule, service port, TLS and its certificate resolver.

    Several hosts become one rule. `network` names the Docker network by which Traefik reaches the container, needed
    as soon as it is in more than one. Raises InvalidInput for a host or id that would change the rule.
    """
    name = f"{project_id}-{service_id}"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise InvalidInput(f"{name!r} cannot be part of a label's name.", field="service_id")
    if not hosts:
        raise InvalidInput(f"{name} has no host to route.", field="hosts")
    labels = {
        "traefik.enable": "true",
        f"traefik.http.routers.{name}.rule": " || ".join(f"Host(`{check_host(host)}`)" for host in hosts),
        f"traefik.http.services.{name}.loadbalancer.server.port": str(port),
    }
    if has_tls:
        labels[f"traefik.http.routers.{name}.tls"] = "true"
        labels[f"traefik.http.routers.{name}.tls.certresolver"] = "letsencrypt"
    if network:
        labels["traefik.docker.network"] = network
    return labels


class LabelsRouter(Router):
    """For a Traefik of the user's own: routes live in the containers' labels, so nothing is published or confirmed.

    Without a confirmation zero downtime needs the app's help: a HEALTHCHECK, and answering a while after SIGTERM.
    """

    kind = "labels"

    def instance_labels(self, *, project_id: str, service_id: str, hosts: Sequence[str], port: int) -> dict[str, str]:
        """The labels by which that Traefik finds the instances; none for a service without a host."""
        return traefik_labels(project_id=project_id, service_id=service_id, hosts=hosts, port=port) if hosts else {}

    async def publish(self, owner: str, routes: Sequence[Route]) -> None:
        """Check the list; the labels were written when the containers were made."""
        check_owner(owner)
        check_routes(routes)

    async def wait_until_confirmed(self, owner: str, routes: Sequence[Route], *, timeout: timedelta) -> None:
        """Return at once: that Traefik's API is not Towline's to ask."""

    async def remove(self, owner: str) -> None:
        """Nothing to do: labels go with their containers."""

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
