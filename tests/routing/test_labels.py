"""Labels mode, for a Traefik that the user already runs."""

from datetime import timedelta

import pytest

from towline.errors import Conflict, InvalidInput
from towline.routing.labels import LabelsRouter, traefik_labels
from towline.values import Route


def test_labels_are_those_of_the_founding_document() -> None:
    assert traefik_labels(project_id="p1", service_id="s1", hosts=["shop-pr-7.example.com"], port=3000) == {
        "traefik.enable": "true",
        "traefik.http.routers.p1-s1.rule": "Host(`shop-pr-7.example.com`)",
        "traefik.http.services.p1-s1.loadbalancer.server.port": "3000",
        "traefik.http.routers.p1-s1.tls": "true",
        "traefik.http.routers.p1-s1.tls.certresolver": "letsencrypt",
    }


def test_plain_http_several_hosts_and_a_network() -> None:
    labels = traefik_labels(
        project_id="p1",
        service_id="s1",
        hosts=["a.example.com", "b.example.com"],
        port=80,
        has_tls=False,
        network="net",
    )
    assert labels == {
        "traefik.enable": "true",
        "traefik.http.routers.p1-s1.rule": "Host(`a.example.com`) || Host(`b.example.com`)",
        "traefik.http.services.p1-s1.loadbalancer.server.port": "80",
        "traefik.docker.network": "net",
    }


@pytest.mark.parametrize(
    ("hosts", "service_id"), [(["a`) || Host(`b"], "s1"), ([], "s1"), (["a.example.com"], "s.rule"), (["a.b"], "")]
)
def test_what_would_change_the_rule_is_refused(hosts: list[str], service_id: str) -> None:
    with pytest.raises(InvalidInput):
        traefik_labels(project_id="p.1" if not service_id else "p1", service_id=service_id, hosts=hosts, port=80)


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
