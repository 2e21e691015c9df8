"""Events over the WebSocket: who hears what, in order, once, and whom it does not slow."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import select, update
from starlette.types import Message
from starlette.websockets import WebSocket
from tests.web.serving import Served, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus

from towline.actions.access import Caller
from towline.actions.events import emit
from towline.actions.live.listener import Listener
from towline.actions.live.sharing import SharedReads
from towline.actions.live.wire import FACTS
from towline.actions.members import join, remove_member
from towline.actions.platform import Platform
from towline.actions.users import get_user
from towline.contract.events import Event, EventDetail
from towline.errors import TimedOut
from towline.models.accounts import ApiKey
from towline.models.base import utc_now
from towline.models.history import AuditEntry
from towline.models.projects import ProjectCollaborator
from towline.web.live import send_texts


@pytest.fixture
async def served(platform: Platform) -> AsyncGenerator[Served]:
    """The application on a real server."""
    async with serving(platform) as served:
        yield served


def test_what_events_show_is_what_the_contract_knows() -> None:
    assert set(FACTS.values()) == set(EventDetail.model_fields)


async def test_a_listener_hears_its_room_in_the_contract_shape(served: Served) -> None:
    async with served.socket() as socket:
        answer = await socket.subscribe(served.project_room)
        await served.world.deploy_successfully()
        assert answer["type"] == "subscribed"
        assert answer["rooms"] == [served.project_room]
        events: list[Event] = []
        while not events or events[-1].type != "deployment.completed":
            events.append(Event.model_validate(await socket.read()))
    sequences = [event.sequence for event in events]
    assert sequences == sorted(set(sequences))
    assert sequences[0] > answer["sequence"]
    assert {event.project_id for event in events} == {served.world.project.id}


async def test_a_listener_resumes_under_a_writer_without_gap_or_repetition(served: Served) -> None:
    async def write() -> None:
        for number in range(1, 301):
            await served.tell(number)

    numbers: list[int] = []
    async with served.socket() as socket:
        since = (await socket.subscribe(served.project_room))["sequence"]
    writing = asyncio.create_task(write())
    while not numbers or numbers[-1] < 300:
        async with served.socket() as socket:
            await socket.subscribe(served.project_room, since=since)
            for _ in range(37):
                message = await socket.read()
                numbers.append(message["data"]["number"])
                since = message["sequence"]
                if numbers[-1] == 300:
                    break
    await writing
    assert numbers == list(range(1, 301))


async def test_entering_a_second_room_repeats_nothing(served: Served) -> None:
    deployment = await served.world.request()
    async with served.socket() as socket:
        await socket.subscribe(served.project_room, f"deployment:{deployment.id}", since=0)
        await served.tell(1)
        seen = [await socket.read() for _ in range(2)]
        await socket.subscribe(served.project_room)
        await served.tell(2)
        seen.append(await socket.read())
    assert [message["type"] for message in seen] == ["deployment.progress", "project.updated", "project.updated"]


async def test_a_slow_reader_delays_nobody_and_misses_nothing(served: Served) -> None:
    count, text = 4000, "x" * 2000
    async with served.socket() as slow, served.socket() as quick:
        await slow.subscribe(served.project_room)
        await quick.subscribe(served.project_room)
        slow.connection.transport.pause_reading()
        for start in range(1, count + 1, 200):
            await _tell_many(served, range(start, start + 200), text)
        assert await quick.read_numbers(count) == list(range(1, count + 1))
        slow.connection.transport.resume_reading()
        assert await slow.read_numbers(count) == list(range(1, count + 1))


async def test_a_reader_that_never_reads_is_cut_off(platform: Platform) -> None:
    """The server's side of a connection whose buffers are full."""
    connected = asyncio.Queue[Message]()
    connected.put_nowait({"type": "websocket.connect"})

    async def take(message: Message) -> None:
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()

    socket = WebSocket({"type": "websocket", "headers": [], "path": "/"}, connected.get, take)
    await socket.accept()
    listener = Listener(platform, Caller("usr_somebody"), reads=SharedReads())
    listener.say("a first word")
    with pytest.raises(TimedOut, match="takes no more"):
        await send_texts(socket, listener, seconds=0.05)


async def test_strangers_and_the_curious_are_kept_out(served: Served) -> None:
    stranger = await served.add_person()
    rooms = [served.project_room, "deployment:dep_nothing", f"user:{served.owner.user_id}"]
    async with served.socket(stranger.token) as socket:
        for room in rooms:
            answer = await socket.subscribe(room)
            assert (answer["type"], answer["code"], answer["rooms"]) == ("refused", "not-found", [room])
            assert (await socket.read())["rooms"] == []
    async with served.world.platform.database.transaction() as work:
        told = (await work.session.scalars(select(AuditEntry).where(AuditEntry.outcome == "refused"))).all()
    assert [(entry.action, entry.actor_id, entry.project_id) for entry in told] == [
        ("events", stranger.user_id, served.world.project.id)
    ]
    with pytest.raises(InvalidStatus) as refused:
        await served.socket("twl_nobody_has_this_key").__aenter__()
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as refused:
        await served.socket(Origin="https://evil.example").__aenter__()
    assert refused.value.response.status_code == 403


async def test_a_browser_sends_its_key_as_the_first_message(served: Served) -> None:
    async with served.socket("", Origin=f"http://127.0.0.1:{served.port}") as socket:
        await socket.send(token=served.owner.token)
        assert (await socket.subscribe(served.project_room))["type"] == "subscribed"
    async with served.socket("") as socket:
        await socket.send(token="wrong" * 8)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.read()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_a_revoked_key_loses_its_socket_within_seconds(served: Served) -> None:
    async with served.socket() as socket:
        await socket.subscribe(served.project_room)
        async with served.platform.database.transaction() as work:
            await work.session.execute(update(ApiKey).values(revoked_at=utc_now()))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.read(timeout=8)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_a_lost_role_loses_the_room_but_not_the_socket(served: Served) -> None:
    viewer = await served.add_person()
    membership = ProjectCollaborator(project_id=served.world.project.id, user_id=viewer.user_id, role="viewer")
    async with served.platform.database.transaction() as work:
        work.session.add(membership)
    async with served.socket(viewer.token) as socket:
        assert (await socket.subscribe(served.project_room))["rooms"] == [served.project_room]
        async with served.platform.database.transaction() as work:
            await work.session.delete(await work.session.merge(membership))
        told = await socket.read(timeout=15)
        assert (told["type"], told["rooms"]) == ("refused", [served.project_room])
        await served.tell(1)
        assert (await socket.subscribe(f"user:{viewer.user_id}"))["rooms"] == [f"user:{viewer.user_id}"]


async def test_a_removed_member_loses_the_room_at_once(served: Served) -> None:
    viewer, project = await served.add_person(), served.world.project
    async with served.platform.database.transaction() as work:
        await join(served.platform, work, project.id, user=await get_user(work.session, viewer.user_id), role="viewer")
    async with served.socket(viewer.token) as socket:
        await socket.subscribe(served.project_room)
        async with served.platform.database.transaction() as work:
            owner = Caller(user_id=served.owner.user_id)
            await remove_member(served.platform, work, owner, project, user_id=viewer.user_id)
        messages = [await socket.read(timeout=3)]
        while messages[-1]["type"] != "refused":
            messages.append(await socket.read(timeout=3))
    assert messages[-1]["rooms"] == [served.project_room]


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "[]",
        "{}",
        '{"rooms": []}',
        '{"rooms": ["project:\\u0000"]}',
        '{"rooms": ["planet:earth"]}',
        '{"rooms": ["project:x"], "since": -1}',
        '{"rooms": ["project:x"], "since": 1e99}',
        '{"rooms": ["project:x"], "more": 1}',
        '{"action": "unsubscribe"}',
        "[" * 30_000,
    ],
)
async def test_a_hostile_message_is_refused_and_the_socket_lives(served: Served, message: str) -> None:
    async with served.socket() as socket:
        await socket.connection.send(message)
        assert (await socket.read())["type"] == "refused"
        assert (await socket.subscribe(served.project_room))["type"] == "subscribed"


async def test_a_message_that_is_too_long_ends_the_socket(served: Served) -> None:
    async with served.socket() as socket:
        await socket.connection.send(json.dumps({"rooms": ["x" * 100_000]}))
        with pytest.raises(ConnectionClosed):
            await socket.read()


async def _tell_many(served: Served, numbers: range, text: str) -> None:
    async with served.platform.database.transaction() as work:
        for number in numbers:
            facts = {"number": number, "message": text}
            emit(served.platform, work, "project.updated", project_id=served.world.project.id, data=facts)
