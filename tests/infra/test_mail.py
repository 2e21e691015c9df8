"""Mail by SMTP to a real server: encrypted unless it stays on this machine, refused with the server's own words."""

import asyncio
import socket
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.smtp_server import PASSWORD, Inbox, find_outer_address, make_tls, serve_smtp

from towline.errors import InvalidInput, MailNotSent, MailRefused
from towline.infra.mail import make_message, parse_smtp_url, send_mail

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `serve_smtp`


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """A server on this machine that wants neither TLS nor a sign-in."""
    async with serve_smtp() as inbox:
        yield inbox


def message(*, recipient: str = "kim@example.com", text: str = "Hello\n") -> EmailMessage:
    return make_message(sender="Towline <t@example.com>", recipient=recipient, subject="Hej ünïcode", text=text)


async def test_a_mail_arrives_as_it_was_written(inbox: Inbox) -> None:
    text = "A line of " + "many words " * 200 + "\n.\nÜber €\n"
    answer = await send_mail(parse_smtp_url(inbox.url), message(text=text))

    assert answer == "250 2.0.0 Ok: queued as 4Bq"
    assert inbox.text.replace("\r\n", "\n") == text
    assert inbox.messages[0]["to"] == "kim@example.com"
    assert inbox.messages[0]["message-id"].endswith("@example.com>")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `serve_smtp`
@pytest.mark.parametrize("is_tls", [True, False])
async def test_user_and_password_of_the_url_sign_in_over_tls(tmp_path: Path, *, is_tls: bool) -> None:
    async with serve_smtp(tls=make_tls(tmp_path), is_tls=is_tls, needs_sign_in=True) as inbox:
        place = f"@localhost:{inbox.port}"
        scheme = "smtps" if is_tls else "smtp"
        await send_mail(parse_smtp_url(f"{scheme}://ann:{quote(PASSWORD, safe='')}{place}"), message())
        with pytest.raises(MailRefused, match="535"):
            await send_mail(parse_smtp_url(f"{scheme}://ann:wrong{place}"), message())
    assert len(inbox.messages) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `serve_smtp`
@pytest.mark.skipif(not find_outer_address(), reason="this machine has no address but loopback")
async def test_nothing_is_told_to_a_distant_server_in_clear(tmp_path: Path) -> None:
    address = find_outer_address()
    async with serve_smtp(host=address) as inbox:
        with pytest.raises(MailNotSent, match="STARTTLS"):
            await send_mail(parse_smtp_url(f"smtp://ann:secret@{address}:{inbox.port}"), message())
    for is_tls in (True, False):
        async with serve_smtp(host=address, tls=make_tls(tmp_path), is_tls=is_tls) as inbox:
            scheme = "smtps" if is_tls else "smtp"
            with pytest.raises(MailNotSent, match=r"(?i)certificate"):
                await send_mail(parse_smtp_url(f"{scheme}://ann:secret@{address}:{inbox.port}"), message())
            assert inbox.tries == 0


async def test_a_refusal_is_told_in_the_words_of_the_server(inbox: Inbox) -> None:
    inbox.refusals = {"gone@example.com": "550 5.1.1 no such user here", "full@example.com": "452 mailbox full"}
    server = parse_smtp_url(inbox.url)
    with pytest.raises(MailRefused, match=r"550 5\.1\.1 no such user here"):
        await send_mail(server, message(recipient="gone@example.com"))
    with pytest.raises(MailNotSent, match="452 mailbox full") as caught:
        await send_mail(server, message(recipient="full@example.com"))
    assert caught.value.retryable


async def test_a_silent_server_and_a_closed_port_are_named_in_time() -> None:
    is_over = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        is_over.set()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(MailNotSent, match=rf"127\.0\.0\.1:{port} did not answer|timed out"):
            await send_mail(parse_smtp_url(f"smtp://127.0.0.1:{port}"), message(), timeout=0.2)
        await is_over.wait()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(MailNotSent, match="cannot be used"):
            await send_mail(parse_smtp_url(f"smtp://127.0.0.1:{port}"), message())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.com",
        "http://u:secret@h",
        "smtp://",
        "smtp://u:secret@h:99999",
        "smtp://u:secret@h/path",
        "smtp://[u:secret@h",
    ],
)
def test_a_wrong_url_is_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_smtp_url(url)
    assert "secret" not in caught.value.message + caught.value.hint


def test_the_ports_and_names_of_a_url_are_understood() -> None:
    server = parse_smtp_url("smtps://a%40b:x%2Fy@smtp.example.com")
    assert (server.host, server.port, server.is_tls, server.username, server.password) == (
        *("smtp.example.com", 465, True, "a@b", "x/y"),
    )
    assert parse_smtp_url("smtp://smtp.example.com").port == 587
    assert "x/y" not in repr(server)
    assert [parse_smtp_url(f"smtp://{host}").is_loopback for host in ("[::1]", "127.0.0.9", "localhost", "h")] == [
        *(True, True, True, False),
    ]


def test_a_line_break_cannot_become_a_header() -> None:
    with pytest.raises(ValueError, match=r"linefeed|newline"):
        make_message(sender="t@example.com", recipient="a@b.c\r\nBcc: all@b.c", subject="x", text="y")
