"""The user's own certificates: what is checked before a router serves one."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from towline.errors import InvalidInput
from towline.names import check_host


def check_pair(host: str, *, certificate_pem: str, key_pem: str) -> tuple[str, str]:
    """Return certificate chain and key as PEM; InvalidInput when they do not fit or do not cover the host.

    Both are written anew from what was parsed, so nothing else a user put into the text goes any further.
    """
    chain = _load_chain(certificate_pem)
    key = _load_key(key_pem)
    if _public_bytes(chain[0]) != key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise InvalidInput(f"The private key for {host} does not belong to the certificate.", field="key_pem")
    if not _covers(chain[0], check_host(host)):
        raise InvalidInput(f"The certificate does not name {host}.", field="certificate_pem")
    if chain[0].not_valid_after_utc <= datetime.now(UTC):
        raise InvalidInput(f"The certificate for {host} has expired.", field="certificate_pem")
    certificates = "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return certificates, private


def _load_chain(certificate_pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(certificate_pem.encode())
    except ValueError as error:
        raise InvalidInput("The certificate is not in PEM form.", field="certificate_pem") from error


def _load_key(key_pem: str) -> RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey:
    try:
        key = load_pem_private_key(key_pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The parser's words are left out: they may quote the key.
        raise InvalidInput("The private key is not an unencrypted key in PEM form.", field="key_pem") from error
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise InvalidInput("The private key is not an RSA, ECDSA or Ed25519 key.", field="key_pem")
    return key


def _public_bytes(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _covers(certificate: x509.Certificate, host: str) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    wildcard = f"*.{host.partition('.')[2]}"
    return any(name.lower() in {host, wildcard} for name in names.get_values_for_type(x509.DNSName))
