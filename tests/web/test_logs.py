"""Logs over HTTP and WebSocket: pages, searching, following; every line once."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update
from tests.web.serving import Served, serving

from towline.actions.deployments.progress import emit_progress
from towline.actions.log_pages import LineChoice, LinePage, read_page
from towline.actions.logs import LogWriter
from towline.actions.platform import Platform
from towline.contract.logs import LogEntry, LogPage
from towline.errors import TimedOut
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.history import Log
from towline.web.logs import encode_lines, while_let_in


@pytest.fixture
async def served(platform: Platform) -> AsyncGenerator[Served]:
    """The application on a real server."""
    async with serving(platform) as served:
        yield served


async def test_a_search_that_takes_too_long_ends_and_says_how_to_search_less(served: Served) -> None:
    deployment = await _write(served, 1)
    many = text(
        "INSERT INTO log_lines (log_id, sequence, at, stream, level, message) "
        "SELECT id, number, now(), 'stdout', 'info', repeat('x', 200) "
        "FROM logs, generate_series(2, 20000) AS number WHERE owner_id = :owner"
    )
    async with served.platform.database.transaction() as work:
        await work.session.execute(many, {"owner": deployment.id})
        await work.session.execute(update(Log).where(Log.owner_id == deployment.id).values(last_sequence=20_000))
    choice = LineChoice(tail=10, query="nowhere to be found")
    with pytest.raises(TimedOut, match="Searching") as raised:
        await read_page(served.platform, deployment.id, choice, limit=timedelta(milliseconds=1))
    assert "since" in raised.value.hint
    assert (await read_page(served.platform, deployment.id, choice)).lines == []


async def test_a_deployments_log_is_read_in_pages_and_from_its_end(served: Served) -> None:
    deployment = await _write(served, 450)
    path = f"/deployments/{deployment.id}/logs"

    last = LogPage.model_validate(await served.owner.get(path))
    assert [entry.sequence for entry in last.items] == list(range(251, 451))
    assert last.next_sequence == 451
    first = LogPage.model_validate(await served.owner.get(path, since="1", limit=300))
    assert (first.items[0].message, first.items[-1].sequence, first.next_sequence) == ("line 1", 300, 301)
    rest = LogPage.model_validate(await served.owner.get(path, since=str(first.next_sequence), limit=300))
    assert [entry.sequence for entry in rest.items] == list(range(301, 451))
    nothing = LogPage.model_validate(await served.owner.get(path, since="10000000000000000000000"))
    assert nothing.items == []


async def test_lines_are_found_by_text_level_and_time(served: Served) -> None:
    deployment = await _write(served, 300)
    path = f"/deployments/{deployment.id}/logs"

    async def messages(**query: str) -> list[str]:
        return [item["message"] for item in (await served.owner.get(path, **query))["items"]]

    assert await messages(query="LINE 29", since="1") == ["line 29", *(f"line {number}" for number in range(290, 300))]
    assert await messages(query="line 2", tail="2") == ["line 298", "line 299"]
    assert await messages(level="error", tail="5") == ["line 300"]
    assert await messages(before="5", tail="2") == ["line 3", "line 4"]
    assert await messages(before="3", since="1") == ["line 1", "line 2"]
    assert await messages(before="1", tail="2") == []
    assert await messages(query="100%_\\", tail="5") == []
    assert len(await messages(since=(utc_now() - timedelta(hours=1)).isoformat(), limit="1000")) == 300
    assert await messages(since=(utc_now() + timedelta(hours=1)).isoformat()) == []


async def test_following_gives_ten_thousand_lines_once_and_ends_with_the_deployment(served: Served) -> None:
    deployment = await _running_deployment(served)
    following = asyncio.create_task(_follow(served, deployment.id, since="1"))
    async with LogWriter(served.platform, deployment.id, project_id=deployment.project_id) as log:
        for number in range(1, 10_001):
            await log.write(f"line {number}")
    await _end(served, deployment)
    entries = await asyncio.wait_for(following, 30)
    assert [entry.sequence for entry in entries] == list(range(1, 10_001))
    assert entries[-1].message == "line 10000"


async def test_a_real_deployments_stream_holds_its_last_line_and_ends_at_once(served: Served) -> None:
    deployment = await served.world.request()
    following = asyncio.create_task(_follow(served, deployment.id, since="1"))
    await served.world.run_next()
    ended = time.monotonic()
    entries = await asyncio.wait_for(following, 10)
    assert entries[-1].message == "Done."
    assert time.monotonic() - ended < 2


async def test_following_a_service_begins_with_the_tail_and_goes_on(served: Served) -> None:
    await served.world.deploy_successfully()
    workload = await served.world.get_workload()
    async with LogWriter(served.platform, workload.id, project_id=workload.project_id) as log:
        for number in range(1, 21):
            await log.write(f"line {number}")
        await log.flush()
        async with aclosing(_stream(served, "/projects/shop/services/web/logs", tail="5", follow="true")) as lines:
            seen = [(await anext(lines)).message for _ in range(5)]
            await log.write("line 21")
            seen.append((await anext(lines)).message)
    assert seen == [f"line {number}" for number in range(16, 22)]


async def test_silence_is_filled_with_empty_lines() -> None:
    async def batches() -> AsyncGenerator[list[dict[str, Any]]]:
        yield [{"sequence": 1}]
        await asyncio.sleep(0.2)
        yield [{"sequence": 2}]

    chunks = [chunk async for chunk in encode_lines(batches(), heartbeat=0.05)]
    assert chunks[0] == b'{"sequence":1}\n'
    assert chunks[-1] == b'{"sequence":2}\n'
    assert set(chunks[1:-1]) == {b"\n"}
    assert LinePage((), 1).next_sequence == 1


async def test_one_hundred_listeners_of_one_build_get_every_line_once(served: Served) -> None:
    deployment = await _running_deployment(served)
    count = 5000
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(served.socket()) for _ in range(100)]
        for socket in sockets:
            await socket.subscribe(f"deployment:{deployment.id}")
        reading = [asyncio.create_task(socket.read_lines(count)) for socket in sockets]
        async with LogWriter(served.platform, deployment.id, project_id=deployment.project_id) as log:
            for number in range(1, count + 1):
                await log.write(f"line {number}")
        for lines in await asyncio.gather(*reading):
            assert lines == list(range(1, count + 1))


async def test_a_listener_gets_the_log_from_the_line_it_names(served: Served) -> None:
    deployment = await _write(served, 1200)
    room = f"deployment:{deployment.id}"
    async with served.socket() as socket:
        await socket.subscribe(room, log_since={deployment.id: 0})
        assert await socket.read_lines(1200) == list(range(1, 1201))
        await socket.subscribe(room, log_since={deployment.id: 1100})
        assert await socket.read_lines(1200) == list(range(1101, 1201))


async def test_who_may_read_no_more_gets_no_line_after_that() -> None:
    allowed = [True, True, False, True]

    async def chunks() -> AsyncGenerator[bytes]:
        for number in range(9):
            yield b"%d" % number

    async def is_let_in() -> bool:
        return allowed.pop(0)

    assert [chunk async for chunk in while_let_in(chunks(), is_let_in, every=0)] == [b"0", b"1"]
    assert len([chunk async for chunk in while_let_in(chunks(), is_let_in, every=3600)]) == 9


async def test_lines_need_the_permission_to_see_logs(served: Served) -> None:
    deployment = await _running_deployment(served)
    person = await served.add_key(scopes=["view_projects"])
    assert (await person.call("GET", f"/deployments/{deployment.id}/logs")).status_code == 403
    async with served.socket(person.token) as socket:
        await socket.subscribe(f"deployment:{deployment.id}")
        async with LogWriter(served.platform, deployment.id, project_id=deployment.project_id) as log:
            await log.write("not for everybody")
        await _end(served, deployment)
        assert "logs" not in (await socket.read())["data"]


async def _running_deployment(served: Served) -> Deployment:
    return await served.world.request()


async def _write(served: Served, count: int) -> Deployment:
    deployment = await _running_deployment(served)
    async with LogWriter(served.platform, deployment.id, project_id=deployment.project_id) as log:
        for number in range(1, count + 1):
            await log.write(f"line {number}", level="error" if number == count else "info")
    return deployment


async def _end(served: Served, deployment: Deployment) -> None:
    async with served.platform.database.transaction() as work:
        await work.session.execute(
            update(Deployment).where(Deployment.id == deployment.id).values(status="cancelled", finished_at=utc_now())
        )
    async with served.platform.database.transaction() as work:
        emit_progress(served.platform, work, await served.world.get_deployment(deployment.id))


async def _follow(served: Served, deployment_id: str, **query: str) -> list[LogEntry]:
    return [entry async for entry in _stream(served, f"/deployments/{deployment_id}/logs", follow="true", **query)]


async def _stream(served: Served, path: str, **query: str) -> AsyncGenerator[LogEntry]:
    headers = {"Authorization": f"Bearer {served.owner.token}"}
    async with served.owner.http.stream("GET", f"/api/v1{path}", params=query, headers=headers) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        async for line in answer.aiter_lines():
            if line.strip():
                yield LogEntry.model_validate(json.loads(line))
