"""Messages to other services: each is sent by a child process, which may only reach what its address allows."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from towline.errors import MessageNotSent, MessageRefused, TimedOut
from towline.infra.processes import run_process

SEND_SECONDS: Final = 30.0
_CHILD: Final = "towline.infra.message_child"
_KEPT: Final = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_LONGEST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What a child sends: to an address of Apprise, or (`secret` is given) as a signed POST of `payload`.

    `closed_networks` are refused besides this machine's own addresses, unless `allows_local`.
    """

    address: str
    title: str
    text: str
    secret: str = ""
    payload: Mapping[str, Any] | None = None
    allows_local: bool = False
    closed_networks: Sequence[str] = ()


async def send_message(message: OutgoingMessage, *, timeout: float = SEND_SECONDS) -> None:
    """Send one message; MessageRefused when trying again would not help, MessageNotSent otherwise.

    A child, since the library that knows the services blocks, and costs 20 MB for as long as it is loaded.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    command = [sys.executable, "-P", "-m", _CHILD]
    given = orjson.dumps(asdict(message))
    try:
        done = await run_process(command, timeout_seconds=timeout, environment=environment, stdin=given)
    except TimedOut as error:
        raise MessageNotSent(f"It was not sent within {timeout:g} s.") from error
    _check(done.tail.rpartition("\n")[2])


def _check(last_line: str) -> None:
    """Return when the child said that it was sent."""
    try:
        answer: Any = orjson.loads(last_line)
    except orjson.JSONDecodeError:
        answer = {}
    if answer.get("is_sent"):
        return
    reason = str(answer.get("reason") or "The program that sends messages ended early.")[:_LONGEST_REASON]
    raise (MessageRefused if answer.get("is_final") else MessageNotSent)(reason)
