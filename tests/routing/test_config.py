"""Traefik's dynamic configuration, compared as a value."""

from dataclasses import replace
from typing import Any, cast

import pytest

from towline.errors import InvalidInput
from towline.routing.traefik.config import get_servers, render, traefik_config
from towline.routing.traefik.doors import Config
from towline.routing.traefik.options import PlatformRoutes
from towline.routing.traefik.platform import platform_routes_config
from towline.values import Middlewares, Route

SHOP = Route(key="shop", host="shop.example.com", servers=("http://10.117.0.2:8000",), certificate="none")
DOORS = "http://127.0.0.1:7000"


def http(config: Config) -> dict[str, Any]:
    """The `http` part, for looking into it."""
    return cast("dict[str, Any]", config["http"])


def test_a_plain_route_becomes_one_router_and_one_service() -> None:
    config = traefik_config("env_1", [SHOP])
    revision = http(config)["middlewares"].pop("env_1_revision")
    assert len(revision["headers"]["customResponseHeaders"]["X-Towline-Revision"]) == 32
    assert config == {
        "http": {
            "routers": {
                "shop": {
                    "rule": "Host(`shop.example.com`)",
                    "priority": 1001,
                    "entryPoints": ["web"],
                    "service": "shop",
                    "middlewares": ["env_1_retry"],
                }
            },
            "services": {
                "shop": {
                    "loadBalancer": {
                        "servers": [{"url": "http://10.117.0.2:8000"}],
                        "serversTransport": "env_1_transport",
                    }
                }
            },
            "middlewares": {"env_1_retry": {"retry": {"attempts": 6, "initialInterval": "20ms"}}},
            "serversTransports": {
                "env_1_transport": {
                    "forwardingTimeouts": {"dialTimeout": "250ms", "idleConnTimeout": "800ms"},
                    "maxIdleConnsPerHost": 64,
                }
            },
        }
    }


@pytest.mark.parametrize(
    ("certificate", "tls"), [("default", {}), ("own", {}), ("acme", {"certResolver": "letsencrypt"})]
)
def test_a_certificate_adds_a_router_for_https(certificate: Any, tls: dict[str, str]) -> None:
    routers = http(traefik_config("env_1", [replace(SHOP, certificate=certificate)]))["routers"]
    assert routers["shop_tls"]["entryPoints"] == ["websecure"]
    assert routers["shop_tls"]["tls"] == tls
    assert routers["shop"]["entryPoints"] == ["web"]


def test_a_redirect_to_https_names_a_port_only_when_it_is_not_the_usual_one() -> None:
    route = replace(SHOP, certificate="default", redirect_to_https=True)
    for port, named in ((443, {}), (8443, {"port": "8443"})):
        found = http(traefik_config("env_1", [route], https_port=port))
        assert found["middlewares"]["env_1_https"]["redirectScheme"] == {"scheme": "https", "permanent": True, **named}
        assert found["routers"]["shop"]["middlewares"] == ["env_1_https"]
        assert found["routers"]["shop_tls"]["middlewares"] == ["env_1_retry"]


def test_an_internal_route_is_bound_to_its_network_and_entry_point() -> None:
    route = replace(SHOP, certificate="default", internal_from=("10.117.0.0/26",), path_prefix="/api")
    routers = http(traefik_config("env_1", [route]))["routers"]
    assert list(routers) == ["shop"]
    assert routers["shop"]["entryPoints"] == ["internal"]
    assert routers["shop"]["rule"] == (
        "Host(`shop.example.com`) && (Path(`/api`) || PathPrefix(`/api/`)) && ClientIP(`10.117.0.0/26`)"
    )


def test_middlewares_are_met_from_the_outside_in() -> None:
    every = Middlewares(
        basic_auth=("ada:x",),
        rate_average=5,
        headers={"X-A": "b"},
        compress=True,
        allow_addresses=("10.0.0.0/8",),
        max_body_bytes=10,
        strip_prefix=True,
        redirect_to="https://example.com",
    )
    found = http(traefik_config("env_1", [replace(SHOP, path_prefix="/api", middlewares=every)]))
    names = ["allow", "redirect", "auth", "rate", "body", "headers", "compress", "strip"]
    assert found["routers"]["shop"]["middlewares"] == [*(f"shop_{name}" for name in names), "env_1_retry"]
    assert found["middlewares"]["shop_rate"] == {"rateLimit": {"average": 5, "burst": 5}}


def test_a_route_without_servers_shows_the_page_of_the_platform() -> None:
    found = http(traefik_config("env_1", [replace(SHOP, servers=())], doors_url="http://127.0.0.1:7000"))
    assert found["services"]["shop"]["loadBalancer"]["servers"] == []
    assert found["services"]["env_1_doors"] == {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:7000"}]}}
    assert found["routers"]["shop"]["middlewares"] == ["env_1_down"]
    assert found["middlewares"]["env_1_down"]["errors"]["query"] == "/_towline/pages/503"


def test_a_route_whose_app_was_stopped_shows_another_page() -> None:
    route = replace(SHOP, servers=(), absence="maintenance")
    found = http(traefik_config("env_1", [route], doors_url=DOORS))
    assert found["routers"]["shop"]["middlewares"] == ["env_1_maintenance"]
    assert found["middlewares"]["env_1_maintenance"]["errors"]["query"] == "/_towline/pages/maintenance"


def test_a_route_whose_app_sleeps_leads_to_the_waker_with_the_door_key() -> None:
    asleep = replace(SHOP, servers=(), absence="waking")
    found = http(traefik_config("env_1", [asleep], doors_url=DOORS, door_key="key"))
    router = found["routers"]["shop"]
    assert (router["service"], router["middlewares"]) == ("env_1_doors", ["shop_place", "env_1_key", "env_1_retry"])
    assert found["middlewares"]["shop_place"] == {"addPrefix": {"prefix": "/_towline/waking/shop"}}
    assert found["middlewares"]["env_1_key"] == {"headers": {"customRequestHeaders": {"X-Towline-Door-Key": "key"}}}
    without_key = http(traefik_config("env_1", [asleep], doors_url=DOORS))
    assert without_key["routers"]["shop"]["middlewares"] == ["env_1_down"]
    awake = http(traefik_config("env_1", [replace(asleep, servers=SHOP.servers)], doors_url=DOORS, door_key="key"))
    assert awake["routers"]["shop"]["service"] == "shop"


def test_the_gate_stands_before_everything_and_gives_the_app_no_other_cookies_than_it_answers() -> None:
    guarded = replace(SHOP, is_guarded=True, path_prefix="/api", middlewares=Middlewares(strip_prefix=True))
    found = http(traefik_config("env_1", [guarded], doors_url=DOORS))
    assert found["routers"]["shop"]["middlewares"] == ["env_1_gate", "shop_strip", "env_1_retry"]
    gate = found["middlewares"]["env_1_gate"]["forwardAuth"]
    assert gate["address"] == f"{DOORS}/_towline/gates/env_1"
    assert gate["authResponseHeaders"] == ["Cookie"]
    with pytest.raises(InvalidInput, match="guard"):
        traefik_config("env_1", [guarded])


def test_a_wildcard_is_asked_for_by_its_own_resolver_and_name() -> None:
    found = http(traefik_config("env_1", [replace(SHOP, certificate="wildcard")]))
    wanted = {"certResolver": "wildcard", "domains": [{"main": "*.example.com"}]}
    assert found["routers"]["shop_tls"]["tls"] == wanted


def test_the_order_of_routes_does_not_change_the_file() -> None:
    routes = [SHOP, replace(SHOP, key="blog", host="blog.example.com")]
    assert render(traefik_config("env_1", routes)) == render(traefik_config("env_1", routes[::-1]))


def test_any_change_changes_the_revision() -> None:
    changed = [
        replace(SHOP, servers=()),
        replace(SHOP, host="other.example.com"),
        replace(SHOP, middlewares=Middlewares(compress=True)),
    ]
    revisions = {
        str(http(traefik_config("env_1", [route]))["middlewares"]["env_1_revision"]) for route in [SHOP, *changed]
    }
    assert len(revisions) == 4


def test_no_file_ever_opens_a_template() -> None:
    route = replace(SHOP, middlewares=Middlewares(headers={"X-A": "{{{{ x }}"}))
    assert b"{{" not in render(traefik_config("env_1", [route]))


def test_the_servers_of_a_file_can_be_read_back() -> None:
    routes = [SHOP, replace(SHOP, key="down", host="down.example.com", servers=())]
    content = render(traefik_config("env_1", routes, doors_url="http://127.0.0.1:7000"))
    assert get_servers(content) == {"http://10.117.0.2:8000"}
    assert get_servers(b"{}") == frozenset()


def test_the_platform_outranks_every_app_and_its_api_asks_for_a_password() -> None:
    platform = PlatformRoutes(
        "towline.example.com", "http://127.0.0.1:7000", certificate="acme", redirect_to_https=True
    )
    found = http(platform_routes_config(platform, api_password="0123456789abcdef"))
    routers = found["routers"]
    assert routers["towline_platform"]["priority"] > 1000 + 200
    assert routers["towline_platform"]["middlewares"] == ["towline_https"]
    assert routers["towline_platform_tls"]["tls"] == {"certResolver": "letsencrypt"}
    assert routers["towline_unknown_tls"]["tls"] == {}
    assert routers["towline_api"]["entryPoints"] == ["traefik"]
    assert routers["towline_api"]["middlewares"] == ["towline_auth"]
    # printf 0123456789abcdef | openssl sha1 -binary | base64
    assert found["middlewares"]["towline_auth"]["basicAuth"]["users"] == ["towline:{SHA}/lVn6NdpVQhSGCzfaddLsW3/jik="]


def test_former_hosts_lead_to_the_platform_unless_an_app_has_them() -> None:
    platform = PlatformRoutes(
        "towline.example.com",
        "http://127.0.0.1:7000",
        former_hosts=("towline.example.net", "towline.localhost"),
        certified_hosts=frozenset({"towline.example.net"}),
        certificate="acme",
    )
    routers = http(platform_routes_config(platform, api_password="0123456789abcdef"))["routers"]
    routes = http(traefik_config("env_1", [SHOP], doors_url="http://127.0.0.1:7000"))["routers"]
    certified, plain = routers["towline_former_1"], routers["towline_former_2"]
    assert (certified["rule"], plain["rule"]) == ("Host(`towline.example.net`)", "Host(`towline.localhost`)")
    assert certified["priority"] < min(route["priority"] for route in routes.values())
    assert (certified["middlewares"], plain["middlewares"]) == (["towline_https"], ["towline_retry"])
    assert routers["towline_former_1_tls"]["tls"] == {"certResolver": "letsencrypt"}
    assert routers["towline_former_2_tls"]["tls"] == {}, "none is asked for: nobody knows where it leads by now"
    with pytest.raises(InvalidInput):
        platform_routes_config(replace(platform, former_hosts=("`)",)), api_password="0123456789abcdef")


def test_the_order_of_setup_hosts_changes_nothing_and_what_is_no_host_is_left_out() -> None:
    rules = {
        http(
            platform_routes_config(
                PlatformRoutes("t.example.com", "http://127.0.0.1:7000", hosts), api_password="x" * 16
            )
        )["routers"]["towline_setup"]["rule"]
        for hosts in [("a.example.com", "b.example.com"), ("b.example.com", "my_machine", "`", "a.example.com")]
    }
    assert len(rules) == 1
    assert rules.pop().endswith("|| Host(`a.example.com`) || Host(`b.example.com`)")


def test_a_short_password_or_a_strange_address_of_the_platform_is_refused() -> None:
    with pytest.raises(InvalidInput):
        platform_routes_config(PlatformRoutes("towline.example.com", "http://127.0.0.1:7000"), api_password="short")
    with pytest.raises(InvalidInput):
        platform_routes_config(PlatformRoutes("towline.example.com", "unix:/x"), api_password="0123456789abcdef")


def test_among_internal_routes_of_a_name_the_one_for_fewer_callers_wins() -> None:
    everyone = replace(SHOP, key="all", internal_from=("10.112.0.0/23",))
    few = replace(SHOP, key="few", internal_from=("10.112.1.4/30", "10.112.1.8/32"))
    routers = http(traefik_config("env_1", [everyone, few]))["routers"]
    assert routers["few"]["priority"] > routers["all"]["priority"]
    assert routers["few"]["rule"].endswith("&& (ClientIP(`10.112.1.4/30`) || ClientIP(`10.112.1.8/32`))")
