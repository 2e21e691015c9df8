"""How Towline's own Traefik is started."""

import os
import shutil
from pathlib import Path

import pytest
from tests.routing.servers import get, running_traefik, wait_until

from towline.routing.traefik.router import TraefikRouter
from towline.supervise.traefik import (
    find_traefik_binary,
    release_startup_pages,
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


def resident_file_kilobytes(process_id: int) -> int:
    """How much of its program a process holds in memory."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))


async def test_pages_that_only_the_start_needed_are_given_back(tmp_path: Path) -> None:
    # A copy, since pages that another Traefik on this machine maps as well are left alone.
    binary = Path(shutil.copy(find_traefik_binary(), tmp_path / "traefik"))
    with running_traefik(tmp_path, binary=binary) as running:
        async with TraefikRouter(running.options).session():

            async def is_routed() -> bool:
                return (await get(running.url(), "towline.example.com"))[0] == 502

            await wait_until(is_routed)
            before = resident_file_kilobytes(running.process_id)
            if not release_startup_pages(running.process_id):
                pytest.skip("this kernel or user may not")
            assert resident_file_kilobytes(running.process_id) < before / 2
            assert await is_routed()


def test_a_process_that_is_gone_has_nothing_to_give_back() -> None:
    assert release_startup_pages(2**22 - 1) == 0
