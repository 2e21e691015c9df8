"""The door for git: pushes to a service's own repository and fetches from it, by git's smart HTTP protocol."""

import asyncio
import base64
import binascii
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Final, Literal

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from towline.actions.access import Caller, Permission, get_project
from towline.actions.credentials import CREDENTIAL_PATTERN, find_credential
from towline.actions.platform import Platform
from towline.actions.pushes.gate import ServiceGate, check_takes_pushes
from towline.actions.services import get_service
from towline.errors import InvalidInput, TooLarge, TowlineError, Unauthenticated
from towline.infra.places import Places
from towline.models.services import Service
from towline.storage.base import GitCall
from towline.web.addresses import client_address
from towline.web.bodies import parse_path
from towline.web.deps import get_platform
from towline.web.problems import unexpected_response
from towline.web.refusals import note_not_let_in, note_room_refused

router: Final = APIRouter()
GitService = Literal["git-upload-pack", "git-receive-pack"]
_MOST_TRANSFERS, _MOST_TRANSFERS_EACH = 32, 8
_SILENCE_SECONDS: Final = 120.0
_PROTOCOL_BYTES: Final = 16 * 1024 * 1024
_TOKEN: Final = re.compile(CREDENTIAL_PATTERN)
_LFS_MEDIA_TYPE: Final = "application/vnd.git-lfs+json"
_SERVICES: Final[dict[GitService, str]] = {"git-upload-pack": "git.fetch", "git-receive-pack": "git.push"}
"""What git calls the two directions, and how the audit log does."""


async def list_refs(request: Request) -> Response:
    """What there is: the first request of every fetch and push."""
    return await _answer(request, request.query_params.get("service", ""), is_listing=True)


async def fetch(request: Request) -> Response:
    """Objects for a clone, fetch or pull."""
    return await _answer(request, "git-upload-pack", is_listing=False)


async def push(request: Request) -> Response:
    """Objects, and branches and tags to move: let in once what they deploy is live."""
    return await _answer(request, "git-receive-pack", is_listing=False)


async def refuse_lfs(request: Request) -> Response:
    """The first request of git-lfs, answered in its own form."""
    try:
        await _admit(request, "git-receive-pack")
    except TowlineError as error:
        return _refusal(error)
    message = "Towline keeps no LFS objects. Deploy from a git server that does, or take the files out of LFS."
    return JSONResponse({"message": message}, 501, media_type=_LFS_MEDIA_TYPE)


for path, endpoint, method in (
    ("info/refs", list_refs, "GET"),
    ("git-upload-pack", fetch, "POST"),
    ("git-receive-pack", push, "POST"),
    ("info/lfs/objects/batch", refuse_lfs, "POST"),
):
    router.routes.append(Route(f"/git/{{project}}/{{service}}.git/{path}", endpoint, methods=[method]))


async def _answer(request: Request, asked: str, *, is_listing: bool) -> Response:
    platform = get_platform(request)
    try:
        service = _check_service(asked)
        caller, found = await _admit(request, service)
        check_takes_pushes(found)
        _places(request.app).check(caller.user_id)
        await platform.repositories.prepare(found.id, branch=str(found.source_config.get("branch") or "main"))
    except TowlineError as error:
        return _refusal(error)
    except Exception as error:
        return unexpected_response(request, error)
    headers = request.headers
    call = GitCall(service, is_listing, headers.get("content-encoding", ""), protocol=headers.get("git-protocol", ""))
    return _GitResponse(platform, _places(request.app), caller, found.id, call)


def _check_service(name: str) -> GitService:
    for known in _SERVICES:
        if name == known:
            return known
    raise InvalidInput("Only git's smart protocol is spoken here.", hint="Use git 1.6.6 or newer.")


async def _admit(request: Request, service: GitService) -> tuple[Caller, Service]:
    """Who calls and which service is meant; source code is for those who may deploy it, in both directions."""
    platform, state, operation = get_platform(request), request.app.state, _SERVICES[service]
    try:
        caller = await _authenticate(request)
    except TowlineError as error:
        # git never sends a password before it is asked for one: that is no attempt yet.
        if "authorization" in request.headers:
            address = client_address(request)
            await note_not_let_in(platform, state.refusal_limit, operation, address=address, error=error)
        raise
    names = parse_path(request)
    async with platform.database.transaction() as work:
        try:
            project = await get_project(work.session, caller, names["project"], permission=Permission.DEPLOY)
        except TowlineError as error:
            room = f"project:{names['project']}"
            await note_room_refused(
                platform, state.refusal_limit, caller, room=room, error=error, operation_id=operation
            )
            raise
        return caller, await get_service(work.session, project.id, names["service"])


async def _authenticate(request: Request) -> Caller:
    token = _read_password(request.headers.get("authorization", ""))
    address = client_address(request)
    credential = await find_credential(get_platform(request), token, address=address)
    if not credential.caller.key_id:
        raise Unauthenticated("A session is no password for git.", hint="Use an API key as the password.")
    request.app.state.use_notes.note(credential)
    return credential.caller


def _read_password(header: str) -> str:
    """The password of HTTP's basic authentication (RFC 7617); any user name goes with it."""
    scheme, _, encoded = header.partition(" ")
    with contextlib.suppress(binascii.Error, UnicodeDecodeError):
        _, separator, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        if scheme.lower() == "basic" and separator and _TOKEN.fullmatch(password):
            return password
    raise Unauthenticated("git needs an API key here.", hint="Give any user name, and an API key as the password.")


def _refusal(error: TowlineError) -> Response:
    """As plain text, which git shows to its user."""
    headers = {"WWW-Authenticate": 'Basic realm="Towline", charset="UTF-8"'} if error.status == 401 else {}
    return Response(f"{error.message}\n{error.hint}\n", error.status, media_type="text/plain", headers=headers)


def _places(app: FastAPI) -> Places:
    if not hasattr(app.state, "git_places"):
        app.state.git_places = Places("git transfers", total=_MOST_TRANSFERS, each=_MOST_TRANSFERS_EACH)
    places: Places = app.state.git_places
    return places


class _GitResponse(Response):
    """What git answers, while the request is still being read."""

    def __init__(self, platform: Platform, places: Places, caller: Caller, service_id: str, call: GitCall) -> None:
        super().__init__()
        self._platform = platform
        self._places = places
        self._caller = caller
        self._service_id = service_id
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._places.hold(self._caller.user_id):
                await self._serve(_Line(receive, send, most=self._platform.settings.push_max_bytes))
        except TowlineError as error:
            await _refusal(error)(scope, receive, send)

    async def _serve(self, line: "_Line") -> None:
        gate = ServiceGate(self._platform, self._caller, self._service_id)
        is_push = self._call.service == "git-receive-pack"
        repositories = self._platform.repositories
        async with repositories.serve(self._service_id, self._call, line.chunks(), gate=gate) as answer:
            await line.start(answer.status, answer.media_type)
            async for chunk in answer.chunks:
                await line.send(chunk)
                if line.is_gone and not is_push:
                    return
        await line.end()
        if is_push and not self._call.is_listing:
            await repositories.tidy(self._service_id)


class _Line:
    """The connection to git: bounded in silence and in bytes. A push goes on when its pusher has gone."""

    def __init__(self, receive: Receive, send: Send, *, most: int) -> None:
        self.is_gone = False
        self._receive = receive
        self._send = send
        self._left = most + _PROTOCOL_BYTES

    async def chunks(self) -> AsyncIterator[bytes]:
        """The request's body; it just ends where the pusher goes away, is silent for too long or sends too much."""
        is_more = True
        while is_more:
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    message = await self._receive()
            except TimeoutError:
                return
            if message["type"] == "http.disconnect":
                self.is_gone = True
                return
            chunk: bytes = message.get("body", b"")
            self._left -= len(chunk)
            if self._left < 0:
                raise TooLarge("The push is too large.")
            is_more = message.get("more_body", False)
            if chunk:
                yield chunk

    async def start(self, status: int, media_type: str) -> None:
        """Begin the answer."""
        headers = [(b"content-type", media_type.encode("latin-1")), (b"cache-control", b"no-cache")]
        headers.append((b"x-accel-buffering", b"no"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, chunk: bytes) -> None:
        """Go on with it, unless nobody takes it any more."""
        if self.is_gone:
            return
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        except (TimeoutError, OSError):
            self.is_gone = True

    async def end(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
