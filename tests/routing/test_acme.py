"""Automatic certificates, with a real authority and a real Traefik."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.routing.authority import Authority, running_authority
from tests.routing.servers import Backend, RunningTraefik, get, running_traefik, served_certificate, wait_until

from towline.routing.traefik.router import TraefikRouter
from towline.values import Route

SOON = timedelta(seconds=5)

pytestmark = [
    pytest.mark.e2e,  # Traefik makes a 4096-bit account key, which takes seconds on a busy machine.
    pytest.mark.skipif(shutil.which("pebble") is None, reason="Debian's package pebble is not installed"),
]


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    """A certificate authority of its own for each test."""
    (tmp_path / "authority").mkdir()
    with running_authority(tmp_path / "authority") as running:
        yield running


def issuer(running: RunningTraefik, host: str) -> str:
    """Who signed the certificate that Traefik shows for a host."""
    certificate = x509.load_pem_x509_certificate(served_certificate(running, host).encode())
    return str(certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@pytest.mark.parametrize("challenge", ["http", "tls"])
async def test_a_route_gets_its_certificate_by_itself(
    tmp_path: Path, authority: Authority, backends: tuple[Backend, Backend], challenge: str
) -> None:
    route = Route(key="shop", host="shop.towline-test.org", servers=(backends[0].url,), certificate="acme")
    with running_traefik(
        tmp_path,
        http_port=authority.http_port,
        https_port=authority.tls_port,
        environment=authority.environment,
        acme_directory_url=authority.directory_url,
        acme_challenge=challenge,
    ) as running:
        router = TraefikRouter(running.options)
        async with router.session():
            await router.publish("env_1", [route])
            await router.wait_until_confirmed("env_1", [route], timeout=SOON)
            assert await router.get_certificate_problem(route.host) != ""

            async def is_issued() -> bool:
                return issuer(running, route.host).startswith("Pebble")

            await wait_until(is_issued, seconds=40)
            status, body, _ = await get(running.url(tls=True), route.host)
            assert (status, body) == (200, "old GET / 0")
            assert await router.get_certificate_problem(route.host) == ""


async def test_a_refusal_is_told_in_the_authoritys_words(
    tmp_path: Path, authority: Authority, backends: tuple[Backend, Backend]
) -> None:
    route = Route(key="shop", host="shop.towline-test.org", servers=(backends[0].url,), certificate="acme")
    # This Traefik is not where the authority looks for the challenge.
    with running_traefik(
        tmp_path, environment=authority.environment, acme_directory_url=authority.directory_url
    ) as running:
        router = TraefikRouter(running.options)
        async with router.session():
            await router.publish("env_1", [route])
            await router.wait_until_confirmed("env_1", [route], timeout=SOON)

            async def is_refused() -> bool:
                return "authority" in await router.get_certificate_problem(route.host)

            await wait_until(is_refused, seconds=40)
            problem = await router.get_certificate_problem(route.host)
            assert "connection refused" in problem
            assert "\n" not in problem
