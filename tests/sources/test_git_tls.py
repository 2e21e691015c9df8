"""HTTPS with certificates that are trusted, and one that is not."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.sources.conftest import Reported
from tests.sources.requests import a_request
from tests.sources.servers import GitServer, Repository, serve_git

from towline.errors import InvalidInput, SourceUnavailable
from towline.sources.git.source import GitSource


def own_address() -> str:
    """An address of this machine by which others could reach it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))
        return probe.getsockname()[0]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for the loopback address and another of this machine's, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    addresses = [IPv4Address("127.0.0.1"), IPv4Address(own_address())]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(address) for address in addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure_server(served: Path, certificate: Path) -> Iterator[GitServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serve_git(served, tls=context) as server:
        yield server


async def test_trusted_certificate_is_accepted(
    source: GitSource,
    repository: Repository,
    secure_server: GitServer,
    certificate: Path,
    report: Reported,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    bundle = await source.fetch_source(a_request(f"{secure_server.url}/shop/.git"), report)
    assert bundle.revision == repository.git("rev-parse", "HEAD")


async def test_other_certificate_is_refused_with_the_reason(
    source: GitSource, repository: Repository, secure_server: GitServer, report: Reported
) -> None:
    with pytest.raises(SourceUnavailable, match="certificate"):
        await source.fetch_source(a_request(f"{secure_server.url}/shop/.git"), report)


async def test_redirects_are_followed_and_none_leads_to_this_machine_or_to_instances(
    source: GitSource,
    repository: Repository,
    served: Path,
    certificate: Path,
    report: Reported,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with (
        serve_git(served, tls=context, address=own_address()) as old,
        serve_git(served, tls=context, address=own_address()) as new,
    ):
        request = replace(a_request(f"{old.url}/shop/.git"), allows_local=False)
        old.redirect_to = new.url
        assert (await source.fetch_source(request, report)).revision == repository.git("rev-parse", "HEAD")
        assert await source.authenticate(request)
        with pytest.raises(InvalidInput, match="network of Towline's instances"):
            await source.fetch_source(replace(request, closed_networks=(f"{own_address()}/32",)), report)
        for target in ("https://127.0.0.1:1", "https://localhost:1"):
            old.redirect_to = target
            with pytest.raises(InvalidInput, match="this machine"):
                await source.fetch_source(request, report)
        old.redirect_to = old.url
        with pytest.raises(SourceUnavailable, match="one redirect to the next"):
            await source.fetch_source(request, report)
