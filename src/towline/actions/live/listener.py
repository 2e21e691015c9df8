"""A listener: its rooms, what waits for it, and the order in which it is told, without gap or repetition."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from towline.actions.access import Caller
from towline.actions.live.rooms import Grant, read_events
from towline.actions.live.sharing import SharedReads
from towline.actions.live.wire import EventMessage, LogMessage, Origin, SharedText, log_message, log_text
from towline.actions.logs import read_lines
from towline.actions.platform import Platform
from towline.errors import TowlineError

_MOST_WAITING: Final = 1000
_MOST_CHARACTERS: Final = 4 * 1024 * 1024
_MOST_REPLIES: Final = 16
_EVENTS_AT_ONCE: Final = 200
_LINES_AT_ONCE: Final = 500
_LONGEST_TEXT: Final = 256 * 1024


@dataclass(slots=True)
class Span:
    """What a listener was told of a room: everything behind `start` up to `told`.

    While it is behind, events between `told` and those that wait are read from the database first.
    """

    start: int
    told: int
    is_behind: bool


@dataclass(slots=True)
class LogSpan:
    """Up to which line a listener was told a deployment's log; `newest` is the last line it could have heard of.

    While it is behind, the lines behind `told` are read from the database first.
    """

    origin: Origin
    told: int
    newest: Callable[[], int]
    is_behind: bool = True


class Door(Protocol):
    """A connection that takes texts without waiting, as long as what it was given before has left."""

    @property
    def is_open(self) -> bool:
        """Whether it takes a text now."""
        ...

    def give(self, told: SharedText) -> None:
        """Send a text; called only while it is open."""
        ...


class Listener:
    """One connection. Others put messages without waiting; `texts` gives them in order.

    While nothing waits, an open door is given a message at once: no task is woken for each of hundreds of listeners.
    When too much waits, all of it is dropped and read again from the database at the listener's own pace: it is never
    a reason for others to wait, and it misses nothing.
    """

    def __init__(self, platform: Platform, caller: Caller, *, reads: SharedReads, door: Door | None = None) -> None:
        self.caller = caller
        self.grants: dict[str, Grant] = {}
        self.end_reason: TowlineError | None = None
        self._platform = platform
        self._reads = reads
        self._door = door
        self._rooms: dict[str, Span] = {}
        self._logs: dict[str, LogSpan] = {}
        self._waiting: deque[EventMessage | LogMessage] = deque()
        self._characters = 0
        self._is_lost = False
        self._last_sequence = 0
        self._replies: asyncio.Queue[str] = asyncio.Queue(_MOST_REPLIES)
        self._wake = asyncio.Event()
        self._is_resting = False

    def put(self, message: EventMessage | LogMessage) -> None:
        """Let a message wait for the listener; never blocks."""
        if self._is_lost:
            return
        if self._door is not None and self._is_resting and not self._wake.is_set() and self._door.is_open:
            self._give(self._door, message)
            return
        self._characters += message.size
        self._waiting.append(message)
        if len(self._waiting) > _MOST_WAITING or self._characters > _MOST_CHARACTERS:
            self._is_lost = True
            self._drop()
        self._wake.set()

    def join(self, grant: Grant, *, since: int, is_behind: bool) -> None:
        """Enter a room; events behind `since` follow."""
        self.grants[grant.room] = grant
        self._rooms[grant.room] = Span(since, since, is_behind)
        self._last_sequence = self._last_sequence or since
        self._wake.set()

    def join_log(self, origin: Origin, *, told: int, newest: Callable[[], int]) -> None:
        """Follow a deployment's log behind line `told`."""
        self._logs[origin.deployment_id] = LogSpan(origin, told, newest)
        self._wake.set()

    def leave(self, room: str) -> None:
        """Hear no more of a room."""
        grant = self.grants.pop(room, None)
        self._rooms.pop(room, None)
        if grant is not None and grant.origin is not None:
            self._logs.pop(grant.origin.deployment_id, None)

    async def reply(self, text: str) -> None:
        """Answer a call of the listener's own; waits while it does not read its answers."""
        await self._replies.put(text)
        self._wake.set()

    def say(self, text: str) -> None:
        """Tell what was not asked for; one that does not read its answers is not told."""
        with contextlib.suppress(asyncio.QueueFull):
            self._replies.put_nowait(text)
        self._wake.set()

    def end(self, reason: TowlineError) -> None:
        """Let `texts` end, for this reason."""
        self.end_reason = reason
        self._wake.set()

    async def texts(self) -> AsyncGenerator[str]:
        """What to send, in order, until `end`."""
        while self.end_reason is None:
            await self._rest()
            self._recover()
            if not self._is_live():
                async for text in self._read_missed():
                    yield text
                    if self.end_reason is not None:
                        return
            while self._waiting and self._is_live():
                if told := self._tell(self._take()):
                    yield told.text
            if self._waiting or not self._is_live():
                self._wake.set()

    def _give(self, door: Door, message: EventMessage | LogMessage) -> None:
        """Tell a message at once, past `texts`, which rests: so nothing is behind, and nothing waits."""
        told = self._tell(message)
        if told is not None:
            door.give(told)

    async def _rest(self) -> None:
        """Wait until there is something to do for `texts`."""
        self._is_resting = True
        try:
            await self._wake.wait()
        finally:
            self._is_resting = False
        self._wake.clear()

    async def _read_missed(self) -> AsyncGenerator[str]:
        while not self._replies.empty():
            yield self._replies.get_nowait()
        async for text in self._read_missed_events():
            yield text
        for span in [span for span in self._logs.values() if span.is_behind]:
            async for text in self._read_missed_lines(span):
                yield text

    async def _read_missed_events(self) -> AsyncIterator[str]:
        behind = {room: span for room, span in self._rooms.items() if span.is_behind}
        after = {room: span.told for room, span in behind.items()}
        while behind:
            events = await read_events(self._platform, after, limit=_EVENTS_AT_ONCE)
            for event in events:
                if told := self._tell_event(event):
                    yield told.text
            if len(events) < _EVENTS_AT_ONCE:
                break
            after = {room: max(span.told, events[-1].sequence) for room, span in behind.items()}
        for span in behind.values():
            span.is_behind = False

    async def _read_missed_lines(self, span: LogSpan) -> AsyncIterator[str]:
        deployment_id = span.origin.deployment_id
        is_more = True
        while is_more and self._logs.get(deployment_id) is span:
            # A read that began before the newest line was passed on may not have that line, so it is not shared.
            about = (deployment_id, span.told, span.newest())
            missed = await self._reads.get(about, lambda: self._read_behind(span))
            is_more = missed is not None and missed.last - missed.first + 1 == _LINES_AT_ONCE
            if missed is not None:
                span.told = missed.last
                yield log_text([missed], span.origin, sequence=self._last_sequence)
        span.is_behind = False

    async def _read_behind(self, span: LogSpan) -> LogMessage | None:
        deployment_id = span.origin.deployment_id
        lines = await read_lines(self._platform, deployment_id, after=span.told, limit=_LINES_AT_ONCE)
        return log_message(deployment_id, lines) if lines else None

    def _tell(self, message: EventMessage | LogMessage) -> SharedText | None:
        """What to say of a message; None when that was said before, is not wanted, or needs to be read."""
        if isinstance(message, EventMessage):
            return self._tell_event(message)
        span = self._logs.get(message.deployment_id)
        if span is None or message.last <= span.told:
            return None
        if message.first != span.told + 1:
            span.is_behind = True
            self._wake.set()
            return None
        messages = self._take_following(message)
        span.told = messages[-1].last
        if len(messages) == 1:
            return message.told(span.origin, sequence=self._last_sequence)
        return SharedText(log_text(messages, span.origin, sequence=self._last_sequence))

    def _take_following(self, first: LogMessage) -> Sequence[LogMessage]:
        """The message and those that go on where it ends: a listener that is late gets fewer, longer texts."""
        messages, size = [first], len(first.lines)
        while self._waiting and size < _LONGEST_TEXT:
            following = self._waiting[0]
            if not isinstance(following, LogMessage) or not following.follows(messages[-1]):
                break
            self._take()
            messages.append(following)
            size += len(following.lines)
        return messages

    def _tell_event(self, event: EventMessage) -> SharedText | None:
        """The event's text; None when no room wants it or it was told before by another room."""
        wanting = [span for room in event.rooms if (span := self._rooms.get(room)) and event.sequence > span.start]
        is_new = bool(wanting) and all(event.sequence > span.told for span in wanting)
        for span in wanting:
            span.told = max(span.told, event.sequence)
        if not is_new:
            return None
        self._last_sequence = event.sequence
        return event.told

    def _take(self) -> EventMessage | LogMessage:
        message = self._waiting.popleft()
        self._characters -= message.size
        return message

    def _is_live(self) -> bool:
        """Whether nothing must be said before what waits."""
        if self.end_reason is not None or self._is_lost or not self._replies.empty():
            return False
        is_behind = any(span.is_behind for span in self._rooms.values())
        return not (is_behind or any(span.is_behind for span in self._logs.values()))

    def _recover(self) -> None:
        """From here on messages wait again; what was dropped before is read from the database."""
        if not self._is_lost:
            return
        self._drop()
        for span in [*self._rooms.values(), *self._logs.values()]:
            span.is_behind = True
        self._is_lost = False

    def _drop(self) -> None:
        self._waiting.clear()
        self._characters = 0
