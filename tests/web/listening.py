"""Entering a room over a WebSocket of the application in this process, without a network."""

import asyncio
import json
from typing import Any, Final

from tests.web.door import Door, Person

from towline.contract.base import API_PREFIX

_STATUSES: Final = {"unauthenticated": 401, "forbidden": 403, "not-found": 404}


async def listen(door: Door, person: Person, room: str) -> int:
    """The status that entering a room comes to: 200, or that of the refusal."""
    told: asyncio.Queue[Any] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    first = {"type": "websocket.receive", "text": json.dumps({"action": "subscribe", "rooms": [room]})}
    said.put_nowait({"type": "websocket.connect"})
    said.put_nowait(first if person.token else {"type": "websocket.receive", "text": "{}"})
    scope: dict[str, Any] = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": f"{API_PREFIX}/ws",
        "raw_path": f"{API_PREFIX}/ws".encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {person.token}".encode())] if person.token else [],
        "client": ("203.0.113.9", 4711),
        "server": ("towline.test", 80),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    serving = asyncio.create_task(door.app(scope, said.get, told.put))
    try:
        async with asyncio.timeout(10):
            while (status := _status(await told.get())) is None:
                pass
    finally:
        said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await serving
    return status


def _status(message: dict[str, Any]) -> int | None:
    """What a message of the application says about entering; None for what says nothing about it."""
    match message["type"]:
        case "websocket.http.response.start":
            return int(message["status"])
        case "websocket.close":
            return int(message["code"]) - 4000
        case "websocket.send":
            answer = json.loads(message["text"])
            return 200 if answer["type"] == "subscribed" else _STATUSES[answer["code"]]
        case _:
            return None
