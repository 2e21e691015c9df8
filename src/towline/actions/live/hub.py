"""The hub: one subscription to the events of the platform per process, given to every listener it concerns."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import orjson

from towline.actions.access import Caller
from towline.actions.credentials import ENDINGS, list_still_valid
from towline.actions.events import CHANNEL, event_payload, list_events
from towline.actions.live.feeds import LogFeeds
from towline.actions.live.listener import Door, Listener
from towline.actions.live.rooms import (
    Grant,
    admit,
    get_newest_sequence,
    list_lost_rooms,
)
from towline.actions.live.sharing import SharedReads
from towline.actions.live.wire import EventMessage, Origin, event_message, reply_text
from towline.actions.platform import Platform
from towline.errors import InvalidInput, NotFound, TowlineError, Unauthenticated, Unavailable
from towline.infra.places import Places
from towline.infra.streams import Subscription

MOST_ROOMS: Final = 200
MOST_LISTENERS: Final = 10_000
MOST_LISTENERS_EACH: Final = 1000
_LOOK_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 0.5
_START_SECONDS: Final = 5.0
_CHECK_SECONDS: Final = 2.0
_ROOM_CHECKS_EVERY: Final = 3
_BATCH: Final = 500
_WAITING: Final = 4096
_log = logging.getLogger(__name__)


class LiveHub:
    """Gives events, in order and without gaps, to the listeners of their rooms. Works only while somebody listens."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._feeds = LogFeeds(platform)
        self._reads = SharedReads()
        self._places = Places("connections for events", total=MOST_LISTENERS, each=MOST_LISTENERS_EACH)
        self._listeners: set[Listener] = set()
        self._rooms: dict[str, set[Listener]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._last: int | None = None
        self._is_ready = asyncio.Event()

    @property
    def listener_count(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    async def get_newest_sequence(self) -> int:
        """The number of an event whose outcome is seen by whoever looks from now on; 0 when there is none."""
        return await get_newest_sequence(self._platform) if self._last is None else self._last

    @asynccontextmanager
    async def listen(self, caller: Caller, *, door: Door | None = None) -> AsyncGenerator[Listener]:
        """A listener without rooms; forgotten on leaving. Unavailable when the process or the user has too many."""
        with self._places.hold(caller.user_id):
            listener = Listener(self._platform, caller, reads=self._reads, door=door)
            self._listeners.add(listener)
            self._start()
            try:
                yield listener
            finally:
                await asyncio.shield(self._forget(listener))

    async def subscribe(
        self, listener: Listener, rooms: Sequence[str], *, since: int | None, log_since: Mapping[str, int]
    ) -> Mapping[str, TowlineError]:
        """Let a listener into rooms and answer it: which were refused (as is returned), and which it is in now."""
        await self._wait_until_ready()
        if len(listener.grants.keys() | set(rooms)) > MOST_ROOMS:
            raise InvalidInput(f"One connection can be in {MOST_ROOMS} rooms at most.", field="rooms")
        grants: list[Grant] = []
        refused: dict[str, TowlineError] = {}
        for room in dict.fromkeys(rooms):
            try:
                grants.append(await self._admit(listener.caller, room))
            except TowlineError as error:
                refused[room] = error
                await listener.reply(refusal([room], error))
        await self._join(listener, grants, since=since, log_since=log_since)
        return refused

    async def unsubscribe(self, listener: Listener, rooms: Sequence[str]) -> None:
        """Let a listener hear no more of rooms, and answer it."""
        for room in rooms:
            await self._leave(listener, room)
        await self._confirm(listener)

    async def close(self) -> None:
        """End everything; listeners are told to come back later."""
        for listener in self._listeners:
            listener.end(Unavailable("Towline is being stopped.", hint="Connect again in a moment."))
        await self._stop()
        await self._feeds.close()

    async def _admit(self, caller: Caller, room: str) -> Grant:
        async def look() -> Grant:
            async with self._platform.database.transaction() as work:
                return await admit(work.session, caller, room)

        return await self._reads.get((caller, room), look)

    async def _join(
        self, listener: Listener, grants: Sequence[Grant], *, since: int | None, log_since: Mapping[str, int]
    ) -> None:
        newest = self._last or 0
        await self._confirm(listener, *grants)
        start = newest if since is None else min(since, newest)
        for grant in grants:
            self._rooms.setdefault(grant.room, set()).add(listener)
            listener.join(grant, since=start, is_behind=self._last != start)
            if grant.origin is not None:
                await self._join_log(listener, grant.origin, log_since.get(grant.origin.deployment_id))

    async def _join_log(self, listener: Listener, origin: Origin, told: int | None) -> None:
        feed = self._feeds.join(origin.deployment_id, listener)
        await feed.wait_until_started()
        if listener not in feed.listeners:
            return  # it has left the room meanwhile, or lost it
        told = feed.last if told is None else min(told, feed.last)
        listener.join_log(origin, told=told, newest=lambda: feed.last)

    async def _confirm(self, listener: Listener, *new: Grant) -> None:
        rooms = list(dict.fromkeys([*listener.grants, *(grant.room for grant in new)]))
        await listener.reply(reply_text({"type": "subscribed", "rooms": rooms, "sequence": self._last or 0}))

    async def _leave(self, listener: Listener, room: str) -> None:
        grant = listener.grants.get(room)
        listener.leave(room)
        listeners = self._rooms.get(room, set())
        listeners.discard(listener)
        if not listeners:
            self._rooms.pop(room, None)
        if grant is not None and grant.origin is not None:
            await self._feeds.leave(grant.origin.deployment_id, listener)

    async def _forget(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        for room in list(listener.grants):
            await self._leave(listener, room)
        if not self._listeners:
            await self._stop()

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._run(), name="live events"),
                asyncio.create_task(self._check_for_ever(), name="live checks"),
            ]

    async def _stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        self._last = None
        self._is_ready = asyncio.Event()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _wait_until_ready(self) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._is_ready.wait()
        except TimeoutError as error:
            raise Unavailable("PostgreSQL does not answer.") from error

    async def _run(self) -> None:
        while True:
            try:
                async with self._platform.streams.subscribe(CHANNEL, limit=_WAITING) as subscription:
                    if self._last is None:
                        self._last = await get_newest_sequence(self._platform)
                        self._is_ready.set()
                    await self._pass_on(subscription)
            except Unavailable as error:
                _log.warning("Live events wait: %s", error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _pass_on(self, subscription: Subscription) -> None:
        """Events as they are published; after a gap, a loss or a silence, those of the database."""
        while True:
            message = await subscription.get(timeout=_LOOK_SECONDS)
            payload: dict[str, Any] | None = None if message is None else orjson.loads(message)
            if payload is None:
                if subscription.is_lagged:
                    subscription.catch_up()
                await self._catch_up()
            elif payload["sequence"] == self._newest + 1:
                self._dispatch(event_message(payload))
            elif payload["sequence"] > self._newest:
                await self._catch_up()

    async def _catch_up(self) -> None:
        is_more = True
        while is_more:
            events = await list_events(self._platform, after=self._newest, limit=_BATCH)
            for event in events:
                self._dispatch(event_message(event_payload(event)))
            is_more = len(events) == _BATCH

    def _dispatch(self, message: EventMessage) -> None:
        self._last = message.sequence
        for listener in {one for room in message.rooms for one in self._rooms.get(room, ())}:
            listener.put(message)

    @property
    def _newest(self) -> int:
        return self._last or 0

    async def _check_for_ever(self) -> None:
        """A key or session that ends loses its connections at once, a lost role its rooms."""
        async with self._platform.streams.subscribe(ENDINGS, limit=1) as endings:
            for number in count(1):
                has_ended = await endings.get(timeout=_CHECK_SECONDS) is not None
                endings.catch_up()
                with contextlib.suppress(Unavailable):
                    await self._check_callers()
                    if has_ended or number % _ROOM_CHECKS_EVERY == 0:
                        await self._check_rooms()

    async def _check_callers(self) -> None:
        callers = {listener.caller for listener in self._listeners}
        valid = await list_still_valid(self._platform, callers)
        for listener in self._listeners:
            if listener.caller in callers - valid:
                listener.end(Unauthenticated("The API key or session was ended, has expired or was changed."))

    async def _check_rooms(self) -> None:
        grants: dict[Caller, set[Grant]] = {}
        for listener in self._listeners:
            grants.setdefault(listener.caller, set()).update(listener.grants.values())
        for caller, given in grants.items():
            lost = await list_lost_rooms(self._platform, caller, given)
            for listener in [one for one in self._listeners if lost and one.caller == caller]:
                await self._expel(listener, [room for room in lost if room in listener.grants])

    async def _expel(self, listener: Listener, rooms: Sequence[str]) -> None:
        for room in rooms:
            await self._leave(listener, room)
        if rooms:
            listener.say(refusal(rooms, NotFound("You may no longer be in these rooms.")))


def refusal(rooms: Sequence[str], error: TowlineError) -> str:
    """The answer to a call that was not taken, wholly or for some rooms."""
    told = {"type": "refused", "rooms": list(rooms), "code": error.code, "message": error.message, "hint": error.hint}
    return reply_text(told)
