"""Labels mode, for a Traefik that the user already runs."""

from datetime import timedelta
from typing import Any

import pytest

from towline.errors import Conflict, InvalidInput
from towline.routing.labels import LabelsRouter, traefik_labels
from towline.values import Middlewares, Route


def a_route(host: str, **values: Any) -> Route:
    return Route(key=host.replace(".", "-"), host=host, servers=(), **values)


def labels_for(*routes: Route, **values: Any) -> dict[str, str]:
    settings: dict[str, Any] = {"project_id": "p1", "service_id": "s1", "port": 3000, **values}
    return traefik_labels(routes=routes, **settings)


def test_labels_are_those_of_the_founding_document() -> None:
    assert labels_for(a_route("shop-pr-7.example.com")) == {
        "traefik.enable": "true",
        "traefik.http.routers.p1-s1.rule": "Host(`shop-pr-7.example.com`)",
        "traefik.http.services.p1-s1.loadbalancer.server.port": "3000",
        "traefik.http.routers.p1-s1.tls": "true",
        "traefik.http.routers.p1-s1.tls.certresolver": "letsencrypt",
    }


def test_plain_http_several_hosts_and_a_network() -> None:
    plain = [a_route(host, certificate="none") for host in ("a.example.com", "b.example.com")]
    assert labels_for(*plain, port=80, network="net") == {
        "traefik.enable": "true",
        "traefik.http.routers.p1-s1.rule": "Host(`a.example.com`) || Host(`b.example.com`)",
        "traefik.http.services.p1-s1.loadbalancer.server.port": "80",
        "traefik.docker.network": "net",
    }


def test_a_route_of_another_kind_has_a_router_of_its_own_with_all_it_asks_for() -> None:
    middlewares = Middlewares(strip_prefix=True, rate_average=5, compress=True)
    route = a_route(
        "b.example.com", path_prefix="/api", certificate="own", redirect_to_https=True, middlewares=middlewares
    )
    labels = labels_for(a_route("a.example.com"), route)
    rule = "(Host(`b.example.com`)) && (Path(`/api`) || PathPrefix(`/api/`))"
    place, parts = "traefik.http.routers.p1-s1-2", "traefik.http.middlewares"
    assert labels["traefik.http.routers.p1-s1.rule"] == "Host(`a.example.com`)"
    assert {name: value for name, value in labels.items() if "p1-s1-2" in name} == {
        f"{place}.rule": rule,
        f"{place}.tls": "true",
        f"{place}.middlewares": "p1-s1-2_rate,p1-s1-2_compress,p1-s1-2_strip",
        f"{parts}.p1-s1-2_rate.rateLimit.average": "5",
        f"{parts}.p1-s1-2_rate.rateLimit.burst": "5",
        f"{parts}.p1-s1-2_compress.compress.excludedContentTypes": "text/event-stream,application/grpc",
        f"{parts}.p1-s1-2_strip.stripPrefix.prefixes": "/api",
        f"{place}-plain.rule": rule,
        f"{place}-plain.middlewares": "p1-s1-2-https",
        f"{parts}.p1-s1-2-https.redirectscheme.scheme": "https",
        f"{parts}.p1-s1-2-https.redirectscheme.permanent": "true",
    }


@pytest.mark.parametrize(
    ("hosts", "service_id"), [(["a`) || Host(`b"], "s1"), ([], "s1"), (["a.example.com"], "s.rule"), (["a.b"], "")]
)
def test_what_would_change_the_rule_is_refused(hosts: list[str], service_id: str) -> None:
    routes = [Route(key=f"r{number}", host=host, servers=()) for number, host in enumerate(hosts)]
    with pytest.raises(InvalidInput):
        labels_for(*routes, project_id="p1" if service_id else "p.1", service_id=service_id)


async def test_the_labels_router_keeps_nothing() -> None:
    router = LabelsRouter()
    routes = [Route(key="shop", host="shop.example.com", servers=("http://10.0.0.2:80",))]
    async with router.session():
        await router.publish("env_1", routes)
        await router.wait_until_confirmed("env_1", routes, timeout=timedelta(0))
        assert await router.list_owners() == []
        assert await router.get_open_requests("env_1") == {}
        with pytest.raises(Conflict):
            await router.put_certificate("shop.example.com", certificate_pem="", key_pem="")
