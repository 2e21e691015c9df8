"""A real certificate authority for tests: Debian's pebble with its DNS server, on free ports."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.ports import free_port


@dataclass(frozen=True)
class Authority:
    """Where the authority is, and the ports at which it looks for challenges of every host."""

    directory_url: str
    certificate: Path
    http_port: int
    tls_port: int

    @property
    def environment(self) -> dict[str, str]:
        """What a Traefik needs to trust the authority's own address."""
        return {"LEGO_CA_CERTIFICATES": str(self.certificate)}


@contextmanager
def running_authority(folder: Path, *, http_port: int = 0) -> Generator[Authority]:
    """Pebble without its artificial delays and refusals; every host name leads to 127.0.0.1.

    It looks for HTTP challenges at `http_port`, a free one unless given.
    """
    ports = {name: free_port() for name in ("api", "management", "http", "tls", "dns")}
    ports["http"] = http_port or ports["http"]
    certificate, key = _write_pair(folder)
    settings = {
        "listenAddress": f"127.0.0.1:{ports['api']}",
        "managementListenAddress": f"127.0.0.1:{ports['management']}",
        "certificate": str(certificate),
        "privateKey": str(key),
        "httpPort": ports["http"],
        "tlsPort": ports["tls"],
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (folder / "pebble.json").write_bytes(orjson.dumps({"pebble": settings}))
    dns = ["pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]
    dns += ["-dns01", f"127.0.0.1:{ports['dns']}", "-management", f"127.0.0.1:{free_port()}"]
    pebble = ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{ports['dns']}"]
    with ExitStack() as stack:
        output = stack.enter_context((folder / "output.txt").open("wb"))
        for command in (dns, pebble):
            stack.enter_context(_running(command, output.fileno()))
        _wait_until_listening(ports["api"])
        yield Authority(f"https://localhost:{ports['api']}/dir", certificate, ports["http"], ports["tls"])


@contextmanager
def _running(command: list[str], output: int) -> Generator[None]:
    environment = {"PATH": "/usr/bin:/bin", "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _wait_until_listening(port: int) -> None:
    ends_at = time.monotonic() + 10
    while time.monotonic() < ends_at:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("pebble does not listen")


def _write_pair(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "pebble.pem", folder / "pebble.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths
