"""A connection that takes more is given what is new at once, one text for all, and never before what waits."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from typing import Any

from towline.actions.access import Caller
from towline.actions.live.listener import Listener
from towline.actions.live.rooms import Grant
from towline.actions.live.sharing import SharedReads
from towline.actions.live.wire import EventMessage, Origin, SharedText, log_message
from towline.actions.platform import Platform

_ROOM = "project:prj_1"
_ORIGIN = Origin("prj_1", "svc_1", "dep_1")


class Taking:
    """A connection that keeps what it is given."""

    def __init__(self) -> None:
        self.is_open = True
        self.told: list[SharedText] = []

    def give(self, told: SharedText) -> None:
        self.told.append(told)


async def _listen(platform: Platform, door: Taking) -> tuple[Listener, AsyncGenerator[str]]:
    """A listener in the room, whose first word was taken but not sent yet."""
    listener = Listener(platform, Caller("usr_1"), reads=SharedReads(), door=door)
    listener.join(Grant(_ROOM, "prj_1"), since=0, is_behind=False)
    listener.say("welcome")
    texts = listener.texts()
    assert await anext(texts) == "welcome"
    return listener, texts


async def _rest(texts: AsyncGenerator[str]) -> "asyncio.Task[str]":
    """Go on to the next text, up to where nothing waits."""
    following = asyncio.create_task(_next(texts))
    await asyncio.sleep(0)
    assert not following.done()
    return following


async def _next(texts: AsyncGenerator[str]) -> str:
    return await anext(texts)


def _event(sequence: int) -> EventMessage:
    return EventMessage(sequence, (_ROOM,), SharedText(f"event {sequence}"))


async def test_open_connections_are_given_one_text_at_once(platform: Platform) -> None:
    doors = [Taking(), Taking()]
    listening = [await _listen(platform, door) for door in doors]
    resting = [await _rest(texts) for _, texts in listening]
    event = _event(1)
    for listener, _ in listening:
        listener.put(event)
    assert [door.told for door in doors] == [[event.told], [event.told]]
    assert doors[0].told[0] is doors[1].told[0]
    assert not any(one.done() for one in resting)
    for one in resting:
        one.cancel()


async def test_lines_are_made_into_text_once_for_all_who_heard_the_same_events(platform: Platform) -> None:
    lines: list[dict[str, Any]] = [{"sequence": 1, "at": "2026-08-01T12:00:00Z", "message": "one"}]
    doors = [Taking(), Taking()]
    listening = [await _listen(platform, door) for door in doors]
    sending = [asyncio.create_task(_send(texts)) for _, texts in listening]
    for (listener, _), door in zip(listening, doors, strict=True):
        listener.join_log(_ORIGIN, told=0, newest=lambda: 0)
        numbers = itertools.count(1)
        async with asyncio.timeout(10):
            while not door.told:  # until it has found that nothing is to be read before
                listener.put(_event(next(numbers)))
                await asyncio.sleep(0.01)
    for message in (_event(10_000), log_message("dep_1", lines)):
        for listener, _ in listening:
            listener.put(message)
    assert doors[0].told[-1] is doors[1].told[-1]
    assert '"logs":[{"sequence":1' in doors[0].told[-1].text
    for one in sending:
        one.cancel()


async def _send(texts: AsyncGenerator[str]) -> None:
    async for _ in texts:
        pass


async def test_what_is_being_sent_is_not_overtaken(platform: Platform) -> None:
    door = Taking()
    listener, texts = await _listen(platform, door)
    listener.put(_event(1))
    assert door.told == []
    assert await anext(texts) == "event 1"
    following = await _rest(texts)
    listener.put(_event(2))
    assert [told.text for told in door.told] == ["event 2"]
    following.cancel()


async def test_what_waits_for_a_full_connection_is_not_overtaken(platform: Platform) -> None:
    door = Taking()
    listener, texts = await _listen(platform, door)
    following = await _rest(texts)
    door.is_open = False
    listener.put(_event(1))
    door.is_open = True
    listener.put(_event(2))
    assert door.told == []
    assert [await following, await anext(texts)] == ["event 1", "event 2"]
    listener.put(_event(3))
    assert [door.told, await anext(texts)] == [[], "event 3"]


async def test_an_event_is_given_once_however_often_it_is_put(platform: Platform) -> None:
    door = Taking()
    listener, texts = await _listen(platform, door)
    following = await _rest(texts)
    for sequence in (1, 2, 2, 1):
        listener.put(_event(sequence))
    assert [told.text for told in door.told] == ["event 1", "event 2"]
    following.cancel()
