"""Mail by SMTP: one message over one connection, encrypted unless it stays on this machine, bounded in time."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote, urlsplit

from towline.errors import InvalidInput, MailNotSent, MailRefused
from towline.infra.lazily import load

if TYPE_CHECKING:
    import aiosmtplib

SEND_SECONDS: Final = 30.0
_PORTS: Final = {"smtp": 587, "smtps": 465}
_LONGEST_ANSWER: Final = 500


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server: where it is, whether TLS begins with the connection, and who signs in there."""

    host: str
    port: int
    is_tls: bool
    username: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether mail does not leave this machine on the way to the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_smtp_url(url: str) -> SmtpServer:
    """The server that `smtp://USER:PASSWORD@HOST:PORT` or `smtps://…` names; InvalidInput that repeats no password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in _PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise InvalidInput(
            "TOWLINE_SMTP_URL must be smtp://USER:PASSWORD@HOST:PORT or smtps://USER:PASSWORD@HOST:PORT.",
            hint="Write characters such as @ and / in user and password as %40 and %2F.",
            field="smtp_url",
        )
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    return SmtpServer(host, port or _PORTS[parts.scheme], parts.scheme == "smtps", username, password)


def make_message(*, sender: str, recipient: str, subject: str, text: str) -> EmailMessage:
    """A plain text mail; line breaks in a header are refused with ValueError."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].strip("<> ") or "towline.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


async def send_mail(server: SmtpServer, message: EmailMessage, *, timeout: float = SEND_SECONDS) -> str:
    """Hand a mail to a server; what it answered.

    MailRefused when trying again would not help, MailNotSent otherwise; both quote the server.
    """
    library: Any = load("aiosmtplib")
    try:
        async with asyncio.timeout(timeout):
            return await _send(library, server, message, timeout=timeout)
    except library.SMTPRecipientsRefused as error:
        raise _refusal(server, [(each.code, each.message) for each in error.recipients]) from error
    except library.SMTPResponseException as error:
        raise _refusal(server, [(error.code, error.message)]) from error
    except TimeoutError as error:
        raise MailNotSent(f"The mail server {server} did not answer within {timeout:g} s.") from error
    except (library.SMTPException, OSError) as error:
        raise MailNotSent(f"The mail server {server} cannot be used: {_one_line(str(error)).rstrip('.: ')}.") from error
    except ValueError as error:
        raise MailRefused(f"The mail cannot be sent to {message['To']}: {_one_line(str(error))}.") from error


async def _send(library: Any, server: SmtpServer, message: EmailMessage, *, timeout: float) -> str:
    client: aiosmtplib.SMTP = library.SMTP(
        hostname=server.host,
        port=server.port,
        timeout=timeout,
        use_tls=server.is_tls,
        start_tls=False,
        tls_context=_tls_context(server),
    )
    try:
        await client.connect()
        if not server.is_tls:
            await _encrypt(library, client, server)
        if server.username:
            await client.login(server.username, server.password)
        _, answer = await client.send_message(message)
        with contextlib.suppress(library.SMTPException, OSError):
            await client.quit()
        return _one_line(f"250 {answer}")
    finally:
        client.close()


async def _encrypt(library: Any, client: "aiosmtplib.SMTP", server: SmtpServer) -> None:
    """Go over to TLS, which only a server on this machine may do without."""
    await client.ehlo()
    if client.supports_extension("starttls"):
        await client.starttls(tls_context=_tls_context(server))
    elif not server.is_loopback:
        raise cast("type[Exception]", library.SMTPNotSupported)("it does not offer STARTTLS, so nothing was sent to it")


def _tls_context(server: SmtpServer) -> ssl.SSLContext:
    """Checks the server's name and certificate, but for a server on this machine, which seldom has a public one."""
    context = ssl.create_default_context()
    if server.is_loopback:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _refusal(server: SmtpServer, answers: Sequence[tuple[int, str]]) -> MailNotSent:
    code, text = answers[0] if answers else (0, "")
    kind = MailRefused if 500 <= code < 600 else MailNotSent
    return kind(f"The mail server {server} refused: {_one_line(f'{code} {text}')}")


def _one_line(text: str) -> str:
    shown = " ".join(text.split())[:_LONGEST_ANSWER]
    return "".join(character if character.isprintable() else "?" for character in shown)
