"""WebSocket: events of rooms, for programs and browsers."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, cast
from urllib.parse import urlsplit

import orjson
from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from towline.actions.access import Caller
from towline.actions.credentials import CREDENTIAL_PATTERN, find_credential
from towline.actions.live.hub import LiveHub, refusal
from towline.actions.live.listener import Listener
from towline.actions.platform import Platform
from towline.contract.events import Subscribe, Unsubscribe
from towline.errors import Forbidden, InvalidInput, TimedOut, TooLarge, TowlineError, Unauthenticated
from towline.infra.places import Places
from towline.web.addresses import client_address
from towline.web.auth import find_caller
from towline.web.operations import OperationRouter
from towline.web.problems import invalid_request, problem_response
from towline.web.refusals import note_not_let_in, note_room_refused
from towline.web.sockets import find_door

router = OperationRouter()
LONGEST_MESSAGE: Final = 64 * 1024
_MOST_FAULTS: Final = 20
_TOKEN_SECONDS: Final = 10.0
_NAMELESS, _NAMELESS_EACH = 500, 100
_SEND_SECONDS: Final = 30.0
_CLOSE_CODES: Final = {401: 4401, 403: 4403, 413: 1009, 503: 1013, 504: 1013}
_TOKEN: Final = re.compile(CREDENTIAL_PATTERN)
_log = logging.getLogger(__name__)


@router.socket("events")
async def follow_events(socket: WebSocket) -> None:
    """Events, until one side has had enough."""
    try:
        check_origin(socket)
        credential = await find_caller(socket)
    except TowlineError as error:
        await _note(socket, error)
        await socket.send_denial_response(problem_response(error))
        return
    await socket.accept()
    try:
        await _serve(socket, credential.caller if credential else await _read_token(socket))
    except TowlineError as error:
        await _close(socket, error)
    except WebSocketDisconnect:
        return


def check_origin(socket: WebSocket) -> None:
    """Browsers say which page opens a socket: only pages of this host may; Forbidden otherwise."""
    origin = socket.headers.get("origin")
    if origin is None:
        return
    platform: Platform = socket.app.state.platform
    try:
        parts = urlsplit(origin)
        own = {socket.headers.get("host", "").lower()}
        is_own = parts.netloc.lower() in own or parts.hostname == platform.settings.effective_platform_host
    except ValueError:
        is_own = False
    if not is_own:
        raise Forbidden("Pages of other hosts may not listen to events.")


async def _serve(socket: WebSocket, caller: Caller) -> None:
    hub: LiveHub = socket.app.state.live
    async with hub.listen(caller, door=find_door(socket)) as listener:
        doors = [
            asyncio.create_task(send_texts(socket, listener), name="socket sends"),
            asyncio.create_task(_receive(socket, listener), name="socket receives"),
        ]
        try:
            done, _ = await asyncio.wait(doors, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for door in doors:
                door.cancel()
            await asyncio.wait(doors)
        for door in done:
            door.result()
        if listener.end_reason is not None:
            raise listener.end_reason


async def send_texts(socket: WebSocket, listener: Listener, *, seconds: float = _SEND_SECONDS) -> None:
    """What a listener is told, until its end; TimedOut when the connection takes nothing for so many seconds."""
    async with aclosing(listener.texts()) as texts:
        async for text in texts:
            try:
                async with asyncio.timeout(seconds):
                    await socket.send_text(text)
            except TimeoutError as error:
                raise TimedOut("The connection takes no more messages.") from error


async def _receive(socket: WebSocket, listener: Listener) -> None:
    faults = 0
    async for content in _messages(socket):
        try:
            await _obey(socket, listener, content)
        except InvalidInput as error:
            faults += 1
            if faults > _MOST_FAULTS:
                raise
            await listener.reply(refusal([], error))


async def _obey(socket: WebSocket, listener: Listener, content: Any) -> None:
    call, state = _parse(content), socket.app.state
    hub: LiveHub = state.live
    if not isinstance(call, Subscribe):
        await hub.unsubscribe(listener, call.rooms)
        return
    refused = await hub.subscribe(listener, call.rooms, since=call.since, log_since=call.log_since)
    for room, error in refused.items():
        await note_room_refused(state.platform, state.refusal_limit, listener.caller, room=room, error=error)


async def _read_token(socket: WebSocket) -> Caller:
    """The caller by the first message, `{"token": "twl_…"}`; only so many at once may keep Towline waiting for it."""
    state = socket.app.state
    if not hasattr(state, "nameless_sockets"):
        state.nameless_sockets = Places("connections without a credential", total=_NAMELESS, each=_NAMELESS_EACH)
    nameless: Places = state.nameless_sockets
    try:
        with nameless.hold(client_address(socket)):
            async with asyncio.timeout(_TOKEN_SECONDS):
                content = await anext(_messages(socket))
    except (TimeoutError, StopAsyncIteration) as error:
        raise Unauthenticated("No API key came.") from error
    token = _object(content).get("token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise Unauthenticated("The first message holds no API key.")
    try:
        credential = await find_credential(socket.app.state.platform, token, address=client_address(socket))
    except TowlineError as error:
        await _note(socket, error)
        raise
    socket.app.state.use_notes.note(credential)
    return credential.caller


async def _note(socket: WebSocket, error: TowlineError) -> None:
    state, address = socket.app.state, client_address(socket)
    await note_not_let_in(state.platform, state.refusal_limit, "events", address=address, error=error)


async def _messages(socket: WebSocket) -> AsyncGenerator[Any]:
    """What the other side sends, as JSON; None for what is none. TooLarge above 64 KiB."""
    while True:
        try:
            message = await socket.receive()
        except RuntimeError:
            return
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        text: str | bytes = message.get("text") or message.get("bytes") or ""
        if len(text) > LONGEST_MESSAGE:
            raise TooLarge(f"A message has more than {LONGEST_MESSAGE} bytes.", hint="Send less at once.")
        try:
            yield orjson.loads(text)
        except orjson.JSONDecodeError:
            yield None


def _parse(content: Any) -> Subscribe | Unsubscribe:
    call = _object(content)
    model = Unsubscribe if call.get("action") == "unsubscribe" else Subscribe
    try:
        return model.model_validate(call)
    except ValidationError as error:
        raise invalid_request(error).error from error


def _object(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InvalidInput("A message must be a JSON object.")
    return cast("dict[str, Any]", content)


async def _close(socket: WebSocket, error: TowlineError) -> None:
    _log.info("A listener is sent away: %s", error.message)
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(_SEND_SECONDS):
            await socket.close(_CLOSE_CODES.get(error.status, 1008), error.message[:120])
