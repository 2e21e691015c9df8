"""A real mail server for tests, which keeps what it is given."""

import asyncio
import contextlib
import email
import gc
import re
import socket
import ssl
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PASSWORD = "p@ss/word with spaces"


@dataclass
class Inbox:
    """What arrived, and what the server says to certain addresses instead of taking their mail."""

    port: int = 0
    messages: list[Message] = field(default_factory=list[Message])
    refusals: dict[str, str] = field(default_factory=dict[str, str])
    tries: int = 0
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The server without a sign-in, as a setting."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def text(self) -> str:
        """The body of the newest mail."""
        content = self.messages[-1].get_payload(decode=True)
        assert isinstance(content, bytes)
        return content.decode()

    def find_link(self) -> str:
        """The path of the link in the newest mail."""
        found = re.search(r"https?://[^/\s]+(/\S+)", self.text[self.text.index("here:") :])
        assert found is not None
        return found[1]


class Takes:
    """What aiosmtpd calls, apart from the inbox, whose properties it would read."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        """Take or refuse an address."""
        self._inbox.tries += 1
        self._inbox.tried.set()
        if address in self._inbox.refusals:
            return self._inbox.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the same
        """Keep a mail."""
        self._inbox.messages.append(email.message_from_bytes(envelope.content))
        self._inbox.arrived.set()
        return "250 2.0.0 Ok: queued as 4Bq"


class Connection(SMTP):
    """A connection that can be waited for to end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # it does not see TLS of the listener
            super().__init__(*arguments, **options)
        self.ended = asyncio.Event()
        self.ended.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.ended.clear()
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        super().connection_lost(error)
        self.ended.set()

    async def close(self) -> None:
        """Return once nothing of it is left, or soon: a broken STARTTLS handshake is never told of."""
        for transport in (self.transport, self._original_transport):
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await self.ended.wait()


@asynccontextmanager
async def serve_smtp(
    *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, is_tls: bool = False, needs_sign_in: bool = False
) -> AsyncGenerator[Inbox]:
    """A server; with `tls` it offers STARTTLS, with `is_tls` besides it begins with TLS."""
    inbox = Inbox()

    connections: list[Connection] = []

    def make() -> Connection:
        connection = Connection(
            Takes(inbox),
            hostname="mail.test",
            tls_context=None if is_tls else tls,
            auth_required=needs_sign_in,
            auth_require_tls=not is_tls,
            authenticator=_check,
        )
        connections.append(connection)
        return connection

    server = await asyncio.get_running_loop().create_server(make, host, 0, ssl=tls if is_tls else None)
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        server.close()
        for connection in connections:
            await connection.close()
        connections.clear()
        gc.collect()  # what aiosmtpd leaves behind after STARTTLS complains in the test that it belongs to


def make_tls(folder: Path) -> ssl.SSLContext:
    """A context with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(content + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


def find_outer_address() -> str:
    """An address of this machine that is not loopback; empty without one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
    return "" if address.startswith("127.") else address


def _check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
    is_right = isinstance(given, LoginPassword) and given.login == b"ann" and given.password.decode() == PASSWORD
    return AuthResult(success=is_right, handled=False)
