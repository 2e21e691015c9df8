"""Refused attempts: noted in the audit log, but never so many that they fill it."""

import logging
import time
from collections import OrderedDict
from typing import Final

from towline.actions.access import ANONYMOUS, Caller
from towline.actions.audit import find_project_id, find_project_id_of_deployment, record
from towline.actions.platform import Platform
from towline.errors import AddressNotAllowed, Forbidden, NotFound, TowlineError, Unauthenticated
from towline.infra.database import Work
from towline.web.deps import Call

PER_SOURCE: Final = 30
IN_ALL: Final = 600
WINDOW_SECONDS: Final = 60.0
_MOST_SOURCES: Final = 10_000
_log = logging.getLogger(__name__)


class RefusalLimit:
    """At most so many refusals a minute of one source, and of all; what is beyond is only counted."""

    def __init__(self, *, per_source: int = PER_SOURCE, in_all: int = IN_ALL) -> None:
        self._per_source = per_source
        self._in_all = in_all
        self._began_at = 0.0
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._total = 0

    def allows(self, source: str) -> bool:
        """Whether one more of this source may be noted now."""
        now = time.monotonic()
        if now - self._began_at > WINDOW_SECONDS or len(self._counts) > _MOST_SOURCES:
            self._began_at, self._total = now, 0
            self._counts.clear()
        self._counts[source] = self._counts.get(source, 0) + 1
        if self._counts[source] > self._per_source or self._total >= self._in_all:
            return False
        self._total += 1
        return True


async def note_not_let_in(
    platform: Platform, limit: RefusalLimit, operation_id: str, *, address: str, error: TowlineError
) -> None:
    """Note a call without a valid credential, or with a key that may not be used from where it was."""
    if not isinstance(error, Unauthenticated | AddressNotAllowed) or not limit.allows(f"address {address}"):
        return
    caller = Caller(user_id=ANONYMOUS.user_id, address=address)
    if isinstance(error, AddressNotAllowed):
        caller = Caller(user_id=error.user_id, key_id=error.key_id, address=address)
    await _write(platform, caller, operation_id, reason=error.message)


async def note_refused(call: Call, limit: RefusalLimit, error: TowlineError) -> None:
    """Note an attempt at what the caller may not do, or may not even see; a mistyped name is not one."""
    if not isinstance(error, Forbidden | NotFound) or (isinstance(error, NotFound) and not call.is_blind):
        return
    if limit.allows(call.caller.user_id):
        await _write(call.platform, call.caller, call.operation.id, reason=error.message, call=call)


async def note_room_refused(
    platform: Platform,
    limit: RefusalLimit,
    caller: Caller,
    *,
    room: str,
    error: TowlineError,
    operation_id: str = "events",
) -> None:
    """Note an attempt to hear of (or push to) what the caller may not see; a mistyped room is not one."""
    if isinstance(error, Forbidden | NotFound) and limit.allows(caller.user_id):
        await _write(platform, caller, operation_id, reason=error.message, room=room)


async def _write(
    platform: Platform, caller: Caller, operation_id: str, *, reason: str, call: Call | None = None, room: str = ""
) -> None:
    try:
        async with platform.database.transaction() as work:
            project_id = await _find_room_target(work, room) if call is None else await _find_target(work, call)
            is_blind = bool(room) if call is None else call.is_blind
            if is_blind and not project_id:
                return
            detail = {"reason": reason}
            record(work, caller, operation_id, outcome="refused", project_id=project_id, detail=detail)
    except TowlineError as error:
        _log.warning("A refused attempt at %s was not noted: %s", operation_id, error)


async def _find_target(work: Work, call: Call) -> str:
    if call.found_project_id:
        return call.found_project_id
    found = await find_project_id(work.session, call.asked_project) if call.asked_project else None
    if found is None and "deployment" in call.path:
        found = await find_project_id_of_deployment(work.session, call.path["deployment"])
    return found or ""


async def _find_room_target(work: Work, room: str) -> str:
    kind, _, object_id = room.partition(":")
    if kind == "project":
        return await find_project_id(work.session, object_id) or ""
    return await find_project_id_of_deployment(work.session, object_id) or "" if kind == "deployment" else ""
