"""Sessions and tickets in any order of what can happen to them: nothing is valid again once it has ended."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from tests.stand_ins import stand_in_platform

from towline.actions.credentials import find_credential, is_still_valid
from towline.actions.platform import Platform
from towline.actions.sessions import (
    end_session,
    end_sessions,
    list_sessions,
    open_session,
    renew_session,
    require_renewal,
    rotate_session,
)
from towline.actions.tickets import issue_ticket, try_ticket, use_ticket, withdraw_tickets
from towline.actions.users import create_user, disable_user, enable_user
from towline.errors import NotFound, Unauthenticated
from towline.infra.secrets import hash_token
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.sessions import Session, Ticket
from towline.names import new_id

_DEED = st.sampled_from(
    ["open", "rotate", "raise", "ask", "ask late", "settle", "end", "others", "expire", "idle", "disable", "enable"]
)
_DEEDS = st.lists(st.tuples(_DEED, st.integers(0, 7)), min_size=1, max_size=12)
_TICKET_DEEDS = st.lists(st.sampled_from(["use", "try", "other kind", "expire", "withdraw"]), min_size=1, max_size=8)
_QUIET = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_MOST_TRIES = 2


@dataclass
class Sessions:
    """What should be true: the value of each open session by id, the one before it where requests with it may still
    be under way, whose rights have changed since, and every value that has ended."""

    platform: Platform
    user_id: str
    open: dict[str, str] = field(default_factory=dict[str, str])
    under_way: dict[str, str] = field(default_factory=dict[str, str])
    due: set[str] = field(default_factory=set[str])
    ended: set[str] = field(default_factory=set[str])
    is_enabled: bool = True

    async def do(self, deed: str, number: int) -> None:
        """One thing that can happen, to one of the open sessions if it is about one."""
        act = getattr(self, f"_{deed.replace(' ', '_')}")
        if deed in {"open", "raise", "disable", "enable"}:
            await act()
        elif self.open:
            await act(sorted(self.open)[number % len(self.open)])

    async def check(self) -> None:
        """Exactly the open sessions of an enabled user are valid, by their newest value or the one still under way."""
        values = {*self.open.values(), *self.under_way.values()}
        valid = values if self.is_enabled else set[str]()
        for value in {*values, *self.ended}:
            try:
                credential = await find_credential(self.platform, value)
            except Unauthenticated:
                assert value not in valid
            else:
                assert value in valid
                assert await is_still_valid(self.platform, credential.caller)
                assert credential.is_renewal_due == (credential.caller.session_id in self.due)
        async with self.platform.database.transaction() as work:
            listed = await list_sessions(self.platform, work.session, user_id=self.user_id, limit=200)
        assert {row.id for row in listed} == self.open.keys()

    def _forget(self, session_id: str) -> None:
        self.ended.add(self.open.pop(session_id))
        self._settled(session_id)
        self.due.discard(session_id)

    def _settled(self, session_id: str) -> None:
        if session_id in self.under_way:
            self.ended.add(self.under_way.pop(session_id))

    async def _open(self) -> None:
        async with self.platform.database.transaction() as work:
            made = await open_session(
                self.platform, work, user_id=self.user_id, method="password", device="", address=""
            )
        self.open[made.session.id] = made.value

    async def _rotate(self, session_id: str) -> None:
        async with self.platform.database.transaction() as work:
            made = await rotate_session(work, session_id)
        self._forget(session_id)
        self.open[session_id] = made.value

    async def _raise(self) -> None:
        async with self.platform.database.transaction() as work:
            await require_renewal(work, self.user_id)
        self.due = set(self.open)

    async def _ask(self, session_id: str) -> None:
        made = await renew_session(self.platform, self.open[session_id])
        assert (made is not None) == (session_id in self.due)
        if made is not None:
            assert made.session.id == session_id
            self._settled(session_id)
            self.under_way[session_id], self.open[session_id] = self.open[session_id], made.value
            self.due.discard(session_id)
            await self._set_previous(session_id, until=utc_now() + timedelta(hours=1))

    async def _ask_late(self, session_id: str) -> None:
        """A value that was replaced never gives the newest one away."""
        for value in {*self.under_way.values(), *self.ended}:
            assert await renew_session(self.platform, value) is None

    async def _settle(self, session_id: str) -> None:
        await self._set_previous(session_id, until=utc_now())
        self._settled(session_id)

    async def _set_previous(self, session_id: str, *, until: datetime) -> None:
        """Time passes for requests under way only when the test says so, however busy the machine is."""
        async with self.platform.database.transaction() as work:
            row = update(Session).where(Session.id == session_id, Session.previous_until.is_not(None))
            await work.session.execute(row.values(previous_until=until))

    async def _end(self, session_id: str) -> None:
        async with self.platform.database.transaction() as work:
            await end_session(self.platform, work, user_id=self.user_id, session_id=session_id)
        self._forget(session_id)

    async def _others(self, session_id: str) -> None:
        async with self.platform.database.transaction() as work:
            await end_sessions(self.platform, work, user_id=self.user_id, except_id=session_id)
        for other in self.open.keys() - {session_id}:
            self._forget(other)

    async def _expire(self, session_id: str) -> None:
        await self._set(session_id, expires_at=utc_now() - timedelta(seconds=1))

    async def _idle(self, session_id: str) -> None:
        await self._set(session_id, last_used_at=utc_now() - self.platform.settings.session_idle)

    async def _set(self, session_id: str, **values: Any) -> None:
        async with self.platform.database.transaction() as work:
            await work.session.execute(update(Session).where(Session.id == session_id).values(values))
        self._forget(session_id)

    async def _disable(self) -> None:
        async with self.platform.database.transaction() as work:
            await disable_user(self.platform, work, await work.session.get_one(User, self.user_id))
        self.is_enabled = False
        for session_id in list(self.open):
            self._forget(session_id)

    async def _enable(self) -> None:
        async with self.platform.database.transaction() as work:
            await enable_user(self.platform, work, await work.session.get_one(User, self.user_id))
        self.is_enabled = True


Act = Callable[[Platform, str], Coroutine[Any, Any, None]]


async def _with_user(folder: Path, postgres_url: str, redis_url: str, act: Act) -> None:
    async with stand_in_platform(folder, postgres_url=postgres_url, redis_url=redis_url) as platform:
        async with platform.database.transaction() as work:
            user = await create_user(work, email=f"{new_id('x')}@example.com")
        await act(platform, user.id)


@_QUIET
@given(deeds=_DEEDS)
def test_a_session_never_holds_after_it_was_ended_expired_or_rotated(
    deeds: list[tuple[str, int]], tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async def act(platform: Platform, user_id: str) -> None:
        model = Sessions(platform, user_id)
        for deed, number in [("open", 0), ("open", 0), *deeds]:
            if deed != "open" or model.is_enabled:
                await model.do(deed, number)
                await model.check()

    asyncio.run(_with_user(tmp_path, postgres_url, redis_url, act))


@_QUIET
@given(deeds=_TICKET_DEEDS)
def test_a_ticket_is_good_once_for_its_own_kind_in_its_time_and_for_few_tries(
    deeds: list[str], tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async def act(platform: Platform, user_id: str) -> None:
        async with platform.database.transaction() as work:
            value = await issue_ticket(work, "reset", user_id=user_id, valid_for=timedelta(hours=1))
        is_valid, tries = True, 0
        for deed in deeds:
            is_taken = await _try_deed(platform, deed, value, user_id=user_id)
            if deed == "try":
                assert is_taken == (is_valid and tries < _MOST_TRIES)
                tries += is_taken
            elif deed == "use":
                assert is_taken == is_valid
                is_valid = False
            elif deed == "other kind":
                assert not is_taken
            else:
                is_valid = False

    asyncio.run(_with_user(tmp_path, postgres_url, redis_url, act))


async def _try_deed(platform: Platform, deed: str, value: str, *, user_id: str) -> bool:
    try:
        async with platform.database.transaction() as work:
            if deed == "use":
                await use_ticket(work, "reset", value)
            elif deed == "try":
                await try_ticket(work, "reset", value, most_tries=_MOST_TRIES)
            elif deed == "other kind":
                await use_ticket(work, "second_factor", value)
            elif deed == "withdraw":
                await withdraw_tickets(work, "reset", user_id=user_id)
            else:
                ended = update(Ticket).where(Ticket.token_hash == hash_token(value))
                await work.session.execute(ended.values(expires_at=utc_now()))
    except NotFound:
        return False
    return True


async def test_many_who_use_one_ticket_at_once_get_one_session(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async def act(platform: Platform, user_id: str) -> None:
        async with platform.database.transaction() as work:
            value = await issue_ticket(work, "second_factor", user_id=user_id, valid_for=timedelta(hours=1))

        async def use() -> None:
            async with platform.database.transaction() as work:
                await use_ticket(work, "second_factor", value)
                await open_session(platform, work, user_id=user_id, method="totp", device="", address="")

        found = await asyncio.gather(*(use() for _ in range(8)), return_exceptions=True)
        assert [type(item) for item in found].count(NotFound) == 7
        async with platform.database.transaction() as work:
            assert await work.session.scalar(select(func.count()).select_from(Session)) == 1

    await _with_user(tmp_path, postgres_url, redis_url, act)
