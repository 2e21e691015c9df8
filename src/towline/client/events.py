"""Following events over the WebSocket, resumed by sequence."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx2
from pydantic import JsonValue, TypeAdapter
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from towline.client.connection import Connection
from towline.client.problems import error_class
from towline.client.transport import LOOPBACK, is_local, is_localhost_name
from towline.contract.base import API_PREFIX
from towline.contract.events import Event, Refused, Subscribe, Subscribed
from towline.errors import Unauthenticated, Unavailable

_MOST_FAILURES: Final = 8
_LONGEST_PAUSE: Final = 3.0
_OPEN_SECONDS: Final = 10.0

_Message: Final = TypeAdapter[dict[str, JsonValue]](dict[str, JsonValue])


class Events:
    """Events of rooms (`project:ID`, `deployment:ID`, `user:ID`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def follow(self, rooms: Sequence[str], *, since: int | None = None) -> Iterator[Event]:
        """Events of the rooms as they happen, each once and in order, for ever.

        Resumes by itself, also within a log and while the server is started anew; raises the refusal of a room, or
        Unavailable after about 15 s of tries without success.
        """
        failures = 0
        told: dict[str, int] = {}
        while True:
            try:
                for message in self._listen(Subscribe(rooms=list(rooms), since=since, log_since=told)):
                    failures = 0
                    if isinstance(message, Event):
                        since = message.sequence
                        if message.data.logs:
                            told[message.deployment_id] = message.data.logs[-1].sequence
                        yield message
                    elif since is None:
                        since = message.sequence
            except (OSError, WebSocketException, Unavailable) as error:
                if failures >= _MOST_FAILURES:
                    reason = str(error).rstrip(".")
                    raise Unavailable(f"Events of {self._connection.base_url} cannot be followed: {reason}.") from error
            failures += 1
            time.sleep(min(0.1 * 2**failures, _LONGEST_PAUSE))

    def _listen(self, subscribe: Subscribe) -> Iterator[Event | Subscribed]:
        with self._open() as socket:
            socket.send(subscribe.model_dump_json())
            for text in socket:
                yield _read(text)

    def _open(self) -> ClientConnection:
        url = httpx2.URL(self._connection.base_url)
        scheme = "wss" if url.scheme == "https" else "ws"
        options: dict[str, Any] = {"proxy": None} if is_local(url.host) else {}
        if is_localhost_name(url.host):
            options["address"] = (LOOPBACK, url.port or (443 if scheme == "wss" else 80))
        address = url.copy_with(scheme=scheme, path=url.path.rstrip("/") + f"{API_PREFIX}/ws")
        headers = {"Authorization": f"Bearer {self._connection.api_key}"}
        try:
            return connect(str(address), additional_headers=headers, open_timeout=_OPEN_SECONDS, legacy=True, **options)
        except InvalidStatus as error:
            if error.response.status_code in {401, 403}:
                raise Unauthenticated("The server refused this API key.") from error
            raise


def _read(text: str | bytes) -> Event | Subscribed:
    content = _Message.validate_json(text)
    if content.get("type") == "refused":
        refusal = Refused.model_validate(content, extra="ignore")
        raise error_class(refusal.code)(refusal.message, hint=refusal.hint or None)
    if content.get("type") == "subscribed":
        return Subscribed.model_validate(content, extra="ignore")
    return Event.model_validate(content, extra="ignore")
