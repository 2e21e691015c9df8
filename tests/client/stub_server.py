"""A small real HTTP server that speaks the contract: same paths, models, problems and streams, no platform behind."""

import socket
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from tests.client.stub_identities import IDENTITY_ANSWERS
from tests.client.stub_operations import ANSWERS
from tests.client.stub_state import API_KEY, NOW, StubState
from tests.conftest import wait_until

from towline.contract.base import API_PREFIX
from towline.contract.events import Event, EventDetail, Refused, Subscribe, Subscribed
from towline.contract.logs import NDJSON_MEDIA_TYPE, LogPage
from towline.contract.operations import IDEMPOTENCY_HEADER, Operation
from towline.contract.problems import PROBLEM_MEDIA_TYPE, FieldProblem, Problem
from towline.contract.routes.table import OPERATIONS
from towline.contract.uploads import UPLOAD_OFFSET_HEADER, Upload
from towline.errors import Conflict, InvalidInput, TowlineError, Unauthenticated


def make_app(state: StubState) -> Starlette:
    """The stub as an ASGI application."""
    operations = [operation for operation in OPERATIONS if operation.method != "WEBSOCKET"]
    routes: list[Route | WebSocketRoute] = [
        Route(API_PREFIX + operation.path, _endpoint(state, operation), methods=[operation.method])
        for operation in sorted(operations, key=lambda operation: "{" in operation.path)
    ]

    async def follow_events(socket: WebSocket) -> None:
        await _follow_events(state, socket)

    return Starlette(routes=[*routes, WebSocketRoute(f"{API_PREFIX}/ws", follow_events)])


@contextmanager
def serve(state: StubState, *, port: int = 0) -> Generator[str]:
    """The stub on a port of this machine, a free one unless told; yields its address."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        config = uvicorn.Config(make_app(state), log_level="error", lifespan="off", ws="websockets-sansio")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join(10)


def _endpoint(state: StubState, operation: Operation) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        state.calls.append((operation.id, dict(request.headers)))
        if state.failures_before_answer:
            state.failures_before_answer -= 1
            return Response("Bad Gateway", 502)
        try:
            if operation.permission != "anyone" and request.headers.get("authorization") != f"Bearer {API_KEY}":
                raise Unauthenticated("This needs an API key.")
            return await _answer_once(state, operation, request)
        except ValidationError as error:
            return _problem(_invalid(error))
        except TowlineError as error:
            return _problem(_problem_of(error))

    return answer


async def _answer_once(state: StubState, operation: Operation, request: Request) -> Response:
    key = request.headers.get(IDEMPOTENCY_HEADER, "")
    if key in state.answered:
        status, content = state.answered[key]
        return Response(content, status, media_type="application/json")
    if operation.id == "uploads.append":
        return await _append(state, request)
    if operation.id == "bundles.download":
        return Response(b"bundle", media_type=operation.media_type)
    if operation.id.endswith(".getLogs"):
        return _logs(state, operation, request)
    query = operation.query.model_validate(dict(request.query_params)) if operation.query else None
    body = operation.request.model_validate_json(await request.body()) if operation.request else None
    result = {**ANSWERS, **IDENTITY_ANSWERS}[operation.id](state, request.path_params, query, body)
    content = result.model_dump_json().encode() if isinstance(result, BaseModel) else b""
    if key:
        state.answered[key] = (operation.status, content)
    return Response(content, operation.status, media_type="application/json" if content else None)


def _logs(state: StubState, operation: Operation, request: Request) -> Response:
    assert operation.query is not None
    query: Any = operation.query.model_validate(dict(request.query_params))
    entries = state.entries(since=int(query.since or 1))
    if query.query:
        entries = [entry for entry in entries if query.query in entry.message]
    if not query.follow:
        page = LogPage(items=entries, next_sequence=len(state.log_lines) + 1)
        return Response(page.model_dump_json(), media_type="application/json")

    async def lines() -> AsyncIterator[str]:
        yield "\n"
        for number, entry in enumerate(entries):
            if number == state.cut_log_after:
                state.cut_log_after = None
                raise ConnectionError("cut on purpose")
            yield entry.model_dump_json() + "\n"

    return StreamingResponse(lines(), media_type=NDJSON_MEDIA_TYPE)


async def _append(state: StubState, request: Request) -> Response:
    digest = request.path_params["digest"]
    if int(request.headers[UPLOAD_OFFSET_HEADER]) != len(state.uploads[digest]):
        raise Conflict("The upload is at another offset.")
    async for chunk in request.stream():
        state.receive(digest, chunk)
        if state.cut_upload_after is not None and len(state.uploads[digest]) >= state.cut_upload_after:
            state.cut_upload_after = None
            raise InvalidInputCut
    size = state.sizes[digest]
    there = len(state.uploads[digest])
    upload = Upload(digest=digest, size=size, offset=there, is_complete=there == size)
    return Response(upload.model_dump_json(), media_type="application/json")


class InvalidInputCut(Exception):
    """Stands for a connection that breaks in the middle of an upload."""


async def _follow_events(state: StubState, socket: WebSocket) -> None:
    if socket.headers.get("authorization") != f"Bearer {API_KEY}":
        await socket.close()
        return
    await socket.accept()
    call = Subscribe.model_validate_json(await socket.receive_text())
    if state.refusals_before_events:
        state.refusals_before_events -= 1
        refused = Refused(rooms=call.rooms, code="unavailable", message="PostgreSQL does not answer.", hint="")
        await socket.send_text(refused.model_dump_json())
        await socket.close()
        return
    await socket.send_text(Subscribed(rooms=call.rooms, sequence=4).model_dump_json())
    first = (call.since or 4) + 1
    for sequence in range(first, first + 2):
        event = Event(
            sequence=sequence,
            type="deployment.progress",
            at=NOW,
            project_id=call.rooms[0].partition(":")[2],
            data=EventDetail(message=f"event {sequence}"),
        )
        await socket.send_text(event.model_dump_json())
    await socket.close()


def _problem(problem: Problem) -> Response:
    return Response(problem.model_dump_json(), problem.status, media_type=PROBLEM_MEDIA_TYPE)


def _problem_of(error: TowlineError) -> Problem:
    return Problem(
        title=error.code, status=error.status, detail=error.message, code=error.code, hint=error.hint, field=error.field
    )


def _invalid(error: ValidationError) -> Problem:
    faults = [
        FieldProblem(field=".".join(str(part) for part in item["loc"]), message=item["msg"]) for item in error.errors()
    ]
    return Problem(
        title="Invalid input",
        status=422,
        detail="The request is not valid.",
        code=InvalidInput("").code,
        hint=InvalidInput.hint,
        errors=faults,
    )
