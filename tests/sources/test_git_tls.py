"""HTTPS with certificates that are trusted, and one that is not."""

import ssl
from collections.abc import Iterator
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

from towline.errors import SourceUnavailable
from towline.sources.git.source import GitSource


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for the loopback address, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
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
