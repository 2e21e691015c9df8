"""Who is calling: the API key or session of a request or WebSocket, and the note of its use afterwards."""

import asyncio
import logging
import re
from dataclasses import replace
from typing import Final

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from towline.actions.access import ANONYMOUS
from towline.actions.credentials import CREDENTIAL_PATTERN, Credential, find_credential, note_use
from towline.actions.platform import Platform
from towline.contract.operations import Operation
from towline.errors import TowlineError, Unauthenticated
from towline.web.addresses import client_address
from towline.web.cookies import read_session_cookie
from towline.web.deps import ANYONE
from towline.web.origins import check_origin, is_unsafe
from towline.web.renewal import newest_value, renew

_TOKEN: Final = re.compile(CREDENTIAL_PATTERN)
_KNOWN: Final = "towline.credential"
"""Where a request keeps whose token it carries: the page that reads by several operations looks once, not for each.

What changes something always looks again.
"""

_log = logging.getLogger(__name__)


class UseNotes:
    """Notes the last use of keys and sessions beside the requests, one at a time per credential."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def note(self, credential: Credential) -> None:
        """Note a use unless the last note is fresh or one is being written."""
        if credential.is_use_old and credential.id not in self._tasks:
            task = asyncio.create_task(self._write(credential), name=f"use-of-{credential.id}")
            self._tasks[credential.id] = task
            task.add_done_callback(lambda _: self._tasks.pop(credential.id, None))

    async def close(self) -> None:
        """Wait for the notes being written."""
        await asyncio.gather(*self._tasks.values())

    async def _write(self, credential: Credential) -> None:
        try:
            await note_use(self._platform, credential)
        except TowlineError as error:
            _log.warning("The use of a credential was not noted: %s", error)


async def authenticate_for(operation: Operation, connection: HTTPConnection) -> Credential:
    """Who calls an operation: nobody in particular where it is open to anyone; Unauthenticated otherwise."""
    if operation.permission == ANYONE:
        if is_unsafe(connection):
            check_origin(connection)
        return Credential(replace(ANONYMOUS, address=client_address(connection)))
    return await authenticate(connection)


async def authenticate(connection: HTTPConnection) -> Credential:
    """The credential of a request or WebSocket; Unauthenticated without a valid one.

    `Authorization: Bearer` comes first; a cookie counts only for what no page of another origin can have sent.
    """
    credential = await find_caller(connection)
    if credential is None:
        raise Unauthenticated("This needs an API key or a session.")
    return credential


async def find_caller(connection: HTTPConnection) -> Credential | None:
    """The credential of a request or WebSocket, None when it carries none; Unauthenticated when it is not valid."""
    app: FastAPI = connection.app
    bearer = _read_bearer(connection)
    token = bearer or _read_cookie(connection)
    if not token:
        return None
    known: tuple[str, Credential] | None = connection.scope.get(_KNOWN)
    if known is not None and known[0] == token and not is_unsafe(connection):
        return known[1]
    credential = await find_credential(app.state.platform, token, address=client_address(connection))
    app.state.use_notes.note(credential)
    if credential.is_renewal_due and not bearer:
        token = await renew(connection, token)
    connection.scope[_KNOWN] = (token, credential)
    return credential


def _read_bearer(connection: HTTPConnection) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if not scheme:
        return ""
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token.strip()):
        raise Unauthenticated("The Authorization header holds no API key.")
    return token.strip()


def _read_cookie(connection: HTTPConnection) -> str:
    token = read_session_cookie(connection)
    if token and is_unsafe(connection):
        check_origin(connection, is_strict=True)
    return newest_value(connection, token)
