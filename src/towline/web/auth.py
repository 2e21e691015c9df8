"""Who is calling: the API key of a request or WebSocket, and the note of its use afterwards."""

import asyncio
import logging
import re
from dataclasses import replace
from typing import Final

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from towline.actions.access import ANONYMOUS
from towline.actions.keys import KEY_PATTERN, KeyUse, find_key_use, note_key_use
from towline.actions.platform import Platform
from towline.contract.operations import Operation
from towline.errors import TowlineError, Unauthenticated
from towline.web.deps import ANYONE

_TOKEN: Final = re.compile(KEY_PATTERN)
_PROXIES: Final = {"127.0.0.1", "::1"}
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f.:]{2,45}")
_log = logging.getLogger(__name__)


class UseNotes:
    """Notes the last use of keys beside the requests, one at a time per key."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def note(self, use: KeyUse) -> None:
        """Note a use unless the last note is fresh or one is being written."""
        key_id = use.caller.key_id
        if use.is_use_old and key_id not in self._tasks:
            task = asyncio.create_task(self._write(key_id, use.caller.address), name=f"key-use-{key_id}")
            self._tasks[key_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(key_id, None))

    async def close(self) -> None:
        """Wait for the notes being written."""
        await asyncio.gather(*self._tasks.values())

    async def _write(self, key_id: str, address: str) -> None:
        try:
            await note_key_use(self._platform, key_id, address=address)
        except TowlineError as error:
            _log.warning("The use of a key was not noted: %s", error)


async def authenticate_for(operation: Operation, connection: HTTPConnection) -> KeyUse:
    """Who calls an operation: nobody in particular where it is open to anyone; Unauthenticated otherwise."""
    if operation.permission == ANYONE:
        return KeyUse(replace(ANONYMOUS, address=client_address(connection)), "", "", None, None)
    return await authenticate(connection)


async def authenticate(connection: HTTPConnection) -> KeyUse:
    """The key and user of a request or WebSocket by its `Authorization: Bearer` header; Unauthenticated otherwise."""
    app: FastAPI = connection.app
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if not scheme:
        raise Unauthenticated("This needs an API key.")
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token.strip()):
        raise Unauthenticated("The Authorization header holds no API key.")
    use = await find_key_use(app.state.platform, token.strip(), address=client_address(connection))
    app.state.use_notes.note(use)
    return use


def client_address(connection: HTTPConnection) -> str:
    """The address a call came from; empty when not known.

    Only Traefik reaches the API's loopback port from outside. It replaces or extends `X-Forwarded-For`, so the last
    address there is the one it saw; what stands before it may be made up.
    """
    seen = connection.client.host if connection.client is not None else ""
    forwarded = connection.headers.getlist("x-forwarded-for")
    if seen not in _PROXIES or not forwarded:
        return seen
    last = forwarded[-1].rpartition(",")[2].strip()
    return last if _ADDRESS.fullmatch(last) else seen
