"""Sends one message, read from standard input, and says how it went: a program of its own, run by infra.messages."""

import contextlib
import hashlib
import hmac
import io
import ipaddress
import json
import logging
import re
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from towline.infra.lazily import load

_ANSWER_SECONDS: Final = 10
_LONGEST: Final = 300
_TOKEN: Final = re.compile(r"[A-Za-z0-9_:-]{12,}")
_STATUS: Final = re.compile(r"error=(\d{3})")
_TRY_AGAIN: Final = {408, 425, 429}
Answer = dict[str, Any]


class ClosedNetwork(OSError):
    """A name that leads to an address which may not be reached."""


def main() -> None:
    """Send, and print one line of JSON: whether it was sent, why not, and whether trying again would help."""
    message: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    refused = [] if message["allows_local"] else guard(message["closed_networks"])
    with contextlib.redirect_stdout(io.StringIO()):  # what a library prints must not be read as the answer
        try:
            answer = _post(message) if message["secret"] else _notify(message)
        except (OSError, ValueError) as error:
            answer = _failed(hide(str(error) or type(error).__name__))
    if refused and not answer["is_sent"]:
        answer = _failed(refused[0], is_final=True)
    sys.stdout.write(json.dumps(answer) + "\n")


def guard(closed_networks: Sequence[str]) -> list[str]:
    """Let no name lead to this machine or into closed networks from now on, whichever library asks, redirects included.

    Addresses are refused where they are looked up, so that none is another one by the time it is connected to. The list
    is of what was refused.
    """
    refused: list[str] = []
    look_up: Callable[..., list[Any]] = socket.getaddrinfo
    networks = [ipaddress.ip_network(network) for network in closed_networks]
    proxies = {urlsplit(url).hostname for url in urllib.request.getproxies().values()}

    def look_up_open(host: Any, *arguments: Any, **options: Any) -> list[Any]:
        found = look_up(host, *arguments, **options)
        if host not in proxies and any(_is_closed(str(address[4][0]), networks) for address in found):
            refused.append(f"The host {str(host)[:100]!r} is this machine, or in a network of Towline's instances.")
            raise ClosedNetwork(refused[-1])
        return found

    socket.getaddrinfo = look_up_open
    return refused


def signature_headers(secret: str, body: bytes, *, at: int) -> dict[str, str]:
    """Headers by which a receiver knows who sent a body, and when: HMAC-SHA256 over `{time}.{body}`."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Towline-Timestamp": str(at), "X-Towline-Signature": f"sha256={digest}"}


def hide(text: str) -> str:
    """One line without anything that could be a token."""
    return _TOKEN.sub(lambda found: found[0] if found[0].isalpha() else "…", " ".join(text.split()))[:_LONGEST]


def _post(message: Mapping[str, Any]) -> Answer:
    body = json.dumps(message["payload"]).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "towline"}
    headers |= signature_headers(message["secret"], body, at=int(time.time()))
    answered = load("requests").post(
        message["address"], data=body, headers=headers, timeout=_ANSWER_SECONDS, allow_redirects=False, stream=True
    )
    status: int = answered.status_code
    answered.close()
    if 200 <= status < 300:
        return {"is_sent": True}
    return _failed(f"The receiver answered {status}.", is_final=_is_final(status))


def _notify(message: Mapping[str, Any]) -> Answer:
    """By Apprise; what it says while it fails is the reason."""
    said: list[str] = []
    apprise = load("apprise")
    logging.getLogger("apprise").addHandler(_Listener(said))
    service = apprise.Apprise.instantiate(message["address"], suppress_exceptions=True)
    if service is None:
        return _failed("The address is not complete.", is_final=True)
    if service.notify(body=message["text"], title=message["title"]):
        return {"is_sent": True}
    text = said[0] if said else "The service did not take it."
    status = _STATUS.search(text)
    return _failed(hide(text), is_final=status is not None and _is_final(int(status[1])))


def _failed(reason: str, *, is_final: bool = False) -> Answer:
    return {"is_sent": False, "is_final": is_final, "reason": reason}


def _is_final(status: int) -> bool:
    return status < 500 and status not in _TRY_AGAIN


def _is_closed(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    seen = mapped or ip
    is_own = seen.is_loopback or seen.is_link_local or seen.is_unspecified or seen.is_multicast
    return is_own or any(seen in network for network in networks)


class _Listener(logging.Handler):
    """Keeps warnings and errors; what is below names tokens."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self._said.append(record.getMessage())


if __name__ == "__main__":
    main()
