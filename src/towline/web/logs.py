"""HTTP: logs of deployments, runs and running services, in pages or followed as lines of JSON."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

import orjson
from starlette.responses import Response, StreamingResponse

from towline.actions.credentials import is_still_valid
from towline.actions.log_pages import (
    DEFAULT_TAIL,
    Line,
    LineChoice,
    LinePage,
    follow_page,
    read_page,
    wait_until_final,
)
from towline.actions.platform import Platform
from towline.actions.runs.requests import get_run
from towline.actions.status import find_workload_id
from towline.contract.logs import NDJSON_MEDIA_TYPE, LogQuery, ServiceLogQuery
from towline.errors import Forbidden, InvalidInput, NotFound, Unavailable
from towline.infra.places import Places
from towline.web.access import admit_alone
from towline.web.answering import json_response
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()
HEARTBEAT_SECONDS: Final = 15.0
_CHECK_SECONDS: Final = 2.0
_MOST_FOLLOWERS, _MOST_FOLLOWERS_EACH = 1000, 200
_LARGEST_SEQUENCE: Final = 2**62
_AT_ONCE: Final = 500


@router.operation("deployments.getLogs", holds_transaction=False)
async def get_deployment_logs(call: Call, query: LogQuery) -> Response:
    """What happened in a deployment; followed until it is final and everything is told."""
    choice = _choice(query)
    if not query.follow:
        return _page(await read_page(call.platform, call.deployment.id, choice))
    return _stream(call, _follow_to_its_end(call.platform, call.deployment.id, choice))


@router.operation("runs.getLogs", holds_transaction=False)
async def get_run_logs(call: Call, query: LogQuery) -> Response:
    """What a run of a cron service prints; followed until it has ended."""
    choice = _choice(query)
    async with call.platform.database.transaction() as work:
        run = (await get_run(work, service_id=call.service.id, run_id=call.path["run"])).run
    if not query.follow:
        return _page(await read_page(call.platform, run.id, choice))
    return _stream(call, _follow_to_its_end(call.platform, run.id, choice))


@router.operation("services.getLogs", holds_transaction=False)
async def get_service_logs(call: Call, query: ServiceLogQuery) -> Response:
    """What the instances of a service print; followed until the caller leaves."""
    choice = _choice(query, instance_id=query.instance or "")
    async with call.platform.database.transaction() as work:
        workload_id = await find_workload_id(work, service=call.service, environment=query.environment)
    if not query.follow:
        page = LinePage((), 1) if workload_id is None else await read_page(call.platform, workload_id, choice)
        return _page(page)
    return _stream(call, _nothing() if workload_id is None else follow_page(call.platform, workload_id, choice))


async def encode_lines(batches: AsyncGenerator[Sequence[Line]], *, heartbeat: float) -> AsyncGenerator[bytes]:
    """Lines of JSON as they come, and an empty line after each silence of `heartbeat` seconds."""
    async with aclosing(batches):
        following = asyncio.ensure_future(anext(batches, None))
        try:
            while True:
                done, _ = await asyncio.wait([following], timeout=heartbeat)
                if not done:
                    yield b"\n"
                    continue
                lines = following.result()
                if lines is None:
                    return
                following = asyncio.ensure_future(anext(batches, None))
                for start in range(0, len(lines), _AT_ONCE):
                    yield b"".join(orjson.dumps(line) + b"\n" for line in lines[start : start + _AT_ONCE])
        finally:
            following.cancel()
            await asyncio.wait([following])


async def while_let_in(
    chunks: AsyncGenerator[bytes], is_let_in: Callable[[], Awaitable[bool]], *, every: float
) -> AsyncGenerator[bytes]:
    """What is streamed for as long as its reader may have it, asked again before what comes `every` seconds later."""
    checked_at = time.monotonic()
    async for chunk in chunks:
        if time.monotonic() - checked_at >= every:
            if not await is_let_in():
                return
            checked_at = time.monotonic()
        yield chunk


async def _is_still_let_in(call: Call) -> bool:
    """Whether the caller's key or session still holds, and it has not lost the permission."""
    if not await is_still_valid(call.platform, call.caller):
        return False
    try:
        await admit_alone(call)
    except (NotFound, Forbidden):
        return False
    return True


async def _follow_to_its_end(platform: Platform, owner_id: str, choice: LineChoice) -> AsyncGenerator[Sequence[Line]]:
    is_over = asyncio.Event()

    async def watch() -> None:
        await wait_until_final(platform, owner_id)
        is_over.set()

    watching = asyncio.create_task(watch(), name=f"end of {owner_id}")
    try:
        async with aclosing(follow_page(platform, owner_id, choice, is_over=is_over)) as batches:
            async for batch in batches:
                yield batch
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _nothing() -> AsyncGenerator[Sequence[Line]]:
    """A service that was never deployed: the stream ends, and the caller may ask again."""
    for batch in ():
        yield batch


def _stream(call: Call, batches: AsyncGenerator[Sequence[Line]]) -> Response:
    state = call.request.app.state
    if not hasattr(state, "log_places"):
        state.log_places = Places("followed logs", total=_MOST_FOLLOWERS, each=_MOST_FOLLOWERS_EACH)
    places: Places = state.log_places
    places.check(call.caller.user_id)

    async def counted() -> AsyncGenerator[bytes]:
        # Where a part is not available the stream ends early, and the caller goes on from its last line.
        with contextlib.suppress(Unavailable), places.hold(call.caller.user_id):
            async with aclosing(encode_lines(batches, heartbeat=HEARTBEAT_SECONDS)) as chunks:
                async for chunk in while_let_in(chunks, lambda: _is_still_let_in(call), every=_CHECK_SECONDS):
                    yield chunk

    return StreamingResponse(counted(), media_type=NDJSON_MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})


def _page(page: LinePage) -> Response:
    return json_response({"items": page.lines, "next_sequence": page.next_sequence})


def _choice(query: LogQuery, *, instance_id: str = "") -> LineChoice:
    first, since = _since(query.since)
    is_default = query.tail is None and query.since is None
    return LineChoice(
        first=first,
        since=since,
        before=query.before,
        tail=DEFAULT_TAIL if is_default else query.tail,
        query=_printable(query.query or ""),
        level=query.level or "",
        instance_id=_printable(instance_id),
        limit=query.limit,
    )


def _since(text: str | None) -> tuple[int, datetime | None]:
    if text is None:
        return 0, None
    if text.isdecimal():
        return min(int(text), _LARGEST_SEQUENCE), None
    try:
        return 0, datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput("since is not a time that can be.", field="since") from error


def _printable(text: str) -> str:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidInput("The text to look for must be valid Unicode without NUL.", field="query")
    return text
