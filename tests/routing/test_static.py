"""How Towline's own Traefik is started."""

import os
from pathlib import Path

import pytest

from towline.supervise.traefik import (
    find_traefik_binary,
    traefik_command,
    traefik_static_config,
)


def test_the_static_configuration_is_as_small_as_it_can_be() -> None:
    config = traefik_static_config(
        folder=Path("/d"),
        routes_dir=Path("/d/routes"),
        http_address=":80",
        https_address=":443",
        api_address="127.0.0.1:1",
    )
    public = {
        "transport": {
            "respondingTimeouts": {"readTimeout": 0, "writeTimeout": 0, "idleTimeout": "180s"},
            "lifeCycle": {"requestAcceptGraceTimeout": 0, "graceTimeOut": "10s"},
        },
        "http": {"aliasHeadersStrategy": "delete"},
    }
    assert config == {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "INFO", "format": "json", "filePath": "/d/traefik.log", "maxSize": 10, "maxBackups": 1},
        "entryPoints": {
            "web": {"address": ":80", **public},
            "websecure": {"address": ":443", **public},
            "traefik": {"address": "127.0.0.1:1"},
        },
        "providers": {"providersThrottleDuration": "100ms", "file": {"directory": "/d/routes", "watch": True}},
        "api": {"dashboard": False, "insecure": False},
        "metrics": {
            "prometheus": {
                "manualRouting": True,
                "addEntryPointsLabels": False,
                "addRoutersLabels": False,
                "addServicesLabels": True,
                "buckets": [1.0],
            }
        },
    }


@pytest.mark.parametrize(
    ("challenge", "wanted"), [("http", {"httpChallenge": {"entryPoint": "web"}}), ("tls", {"tlsChallenge": {}})]
)
def test_an_email_brings_the_authority(challenge: str, wanted: dict[str, object]) -> None:
    config = traefik_static_config(
        folder=Path("/d"),
        routes_dir=Path("/d/routes"),
        http_address=":80",
        https_address=":443",
        api_address="127.0.0.1:1",
        internal_address="172.17.0.1:7946",
        acme_email="ops@example.com",
        acme_directory_url="https://ca.example.com/dir",
        acme_challenge="tls" if challenge == "tls" else "http",
    )
    acme = {"email": "ops@example.com", "storage": "/d/acme.json", "keyType": "EC256", **wanted}
    assert config["certificatesResolvers"] == {
        "letsencrypt": {"acme": {**acme, "caServer": "https://ca.example.com/dir"}}
    }


def test_the_command_is_the_binary_of_the_wheel() -> None:
    binary = find_traefik_binary()
    assert os.access(binary, os.X_OK)
    assert traefik_command(binary, Path("/d/traefik.yml")) == [str(binary), "--configFile=/d/traefik.yml"]


def test_a_dns_provider_brings_a_resolver_for_wildcards() -> None:
    config = traefik_static_config(
        folder=Path("/d"),
        routes_dir=Path("/d/routes"),
        http_address=":80",
        https_address=":443",
        api_address="127.0.0.1:1",
        acme_email="ops@example.com",
        acme_directory_url="https://ca.example.com/dir",
        acme_dns_provider="cloudflare",
    )
    acme = {"email": "ops@example.com", "storage": "/d/acme.json", "caServer": "https://ca.example.com/dir"}
    assert config["certificatesResolvers"] == {
        "letsencrypt": {"acme": {**acme, "keyType": "EC256", "httpChallenge": {"entryPoint": "web"}}},
        "wildcard": {"acme": {**acme, "keyType": "EC256", "dnsChallenge": {"provider": "cloudflare"}}},
    }
