"""Keys against a model of them: none does more than its user and the keys it comes from, or goes on after their end."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import update
from tests.stand_ins import stand_in_platform

from towline.actions.access import Caller, Permission, may
from towline.actions.allowed_addresses import is_allowed
from towline.actions.credentials import find_credential, is_still_valid
from towline.actions.keys import KeyRights, add_key, create_key, revoke_key
from towline.actions.platform import Platform
from towline.actions.projects import create_project
from towline.errors import Forbidden, NotFound, TowlineError, Unauthenticated
from towline.models.accounts import ApiKey, User
from towline.models.base import utc_now
from towline.names import new_id

T = TypeVar("T")
HOUSE = "203.0.113.9"
NEXT_DOOR = "203.0.113.77"
FAR = "198.51.100.1"
ELSEWHERE = "192.0.2.1"
PLACES = (HOUSE, NEXT_DOOR, FAR, ELSEWHERE)
NETWORKS = {
    "203.0.113.9/32": {HOUSE},
    "203.0.113.0/24": {HOUSE, NEXT_DOOR},
    "198.51.100.0/24": {FAR},
    "0.0.0.0/0": set(PLACES),
}
SCOPES = ("deploy", "view_logs", "administer", "create_projects")
HOURS = (1, 5, 10)
addresses = st.lists(st.sampled_from(sorted(NETWORKS)), max_size=2, unique=True)
scopes = st.one_of(st.just(["*"]), st.lists(st.sampled_from(SCOPES), min_size=1, max_size=3, unique=True))


@dataclass
class Known:
    """What the model knows of one key."""

    id: str
    token: str
    user: str
    parent: "Known | None"
    scopes: frozenset[str]
    project: str | None
    places: frozenset[str]
    ends_at: datetime | None
    is_revoked: bool = False

    def line(self) -> Iterator["Known"]:
        """The key, the one that made it, and so on."""
        yield self
        if self.parent is not None:
            yield from self.parent.line()

    def is_usable(self, place: str) -> bool:
        """Whether it and all it comes from hold, there and now."""
        now = utc_now()
        return all(
            not key.is_revoked and place in key.places and (key.ends_at is None or key.ends_at > now)
            for key in self.line()
        )


class Keys(RuleBasedStateMachine):
    """An administrator and a user, each with a key that may do everything, and what they make of them."""

    runner: asyncio.Runner
    platform: Platform

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, User] = {}
        self.enabled = {"root": True, "ann": True}
        self.known: list[Known] = []
        self.project = self.run(self._begin())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @rule(
        target=made,
        number=st.integers(0, 30),
        place=st.sampled_from(PLACES),
        scopes=scopes,
        is_of_project=st.booleans(),
        addresses=addresses,
        hours=st.sampled_from([None, *HOURS]),
    )
    def make(
        self, *, number: int, place: str, is_of_project: bool, hours: int | None, **rights: list[str]
    ) -> Known | None:
        parent = self.known[number % len(self.known)]
        wanted = KeyRights(
            scopes=rights["scopes"],
            project_id=self.project if is_of_project else None,
            expires_at=utc_now() + timedelta(hours=hours) if hours else None,
            addresses=rights["addresses"],
        )
        made = self.run(self._make(parent, place, wanted))
        assert (made is not None) == self._may_make(parent, place, wanted)
        if made is not None:
            self.known.append(made)
        return made

    @rule(key=made, place=st.sampled_from(PLACES))
    def use(self, key: Known | None, place: str) -> None:
        if key is not None:
            caller = self.run(self._find(key, place))
            assert (caller is not None) == (key.is_usable(place) and self.enabled[key.user])
            assert caller is None or self._rights_of(caller) == (key.scopes, key.project)
            assert caller is None or self.run(is_still_valid(self.platform, caller))

    @rule(by=st.integers(0, 30), key=made, place=st.sampled_from(PLACES))
    def revoke(self, by: int, key: Known | None, place: str) -> None:
        actor = self.known[by % len(self.known)]
        if key is None:
            return
        if self.run(self._revoke(actor, place, key)):
            assert actor.is_usable(place)
            assert self.enabled[actor.user]
            assert actor.user in {key.user, "root"}
            key.is_revoked = True

    @rule(hours=st.sampled_from(HOURS))
    def wait(self, hours: int) -> None:
        passed = timedelta(hours=hours)
        self.run(self._run(update(ApiKey).values(expires_at=ApiKey.expires_at - passed)))
        for key in self.known:
            key.ends_at = None if key.ends_at is None else key.ends_at - passed

    @rule(is_enabled=st.booleans())
    def disable_ann(self, is_enabled: bool) -> None:
        disabled_at = None if is_enabled else utc_now()
        mine = User.id == self.users["ann"].id
        self.run(self._run(update(User).where(mine).values(disabled_at=disabled_at)))
        self.enabled["ann"] = is_enabled

    @invariant()
    def none_does_more_than_what_it_comes_from(self) -> None:
        for key in self.known:
            for older in key.line():
                assert key.user == older.user
                assert "*" in older.scopes or key.scopes <= older.scopes
                assert older.project in {None, key.project}
                assert key.places <= older.places

    def _may_make(self, parent: Known, place: str, wanted: KeyRights) -> bool:
        if not parent.is_usable(place) or not self.enabled[parent.user]:
            return False
        is_narrow = "*" in parent.scopes or set(wanted.scopes) <= parent.scopes
        is_inside = parent.project in {None, wanted.project_id}
        return is_narrow and is_inside and all(NETWORKS[network] <= parent.places for network in wanted.addresses)

    def _rights_of(self, caller: Caller) -> tuple[frozenset[str], str | None]:
        for permission in Permission:
            is_allowed = may(caller, permission, role="owner")
            assert not is_allowed or caller.scopes is None or permission in caller.scopes
            assert not is_allowed or permission != Permission.ADMINISTER or caller.user_id == self.users["root"].id
        return (frozenset({"*"}) if caller.scopes is None else frozenset(caller.scopes), caller.project_id)

    async def _begin(self) -> str:
        mark = new_id("x")
        async with self.platform.database.transaction() as work:
            for name in ("root", "ann"):
                email = f"{name}.{mark}@example.com"
                self.users[name] = User(id=new_id("usr"), email=email, is_administrator=name == "root")
                work.session.add(self.users[name])
            await work.session.flush()
            owner = Caller(user_id=self.users["ann"].id)
            project = await create_project(self.platform, work, owner, name=mark.replace("_", "-")[:38])
            for name, user in self.users.items():
                made = await add_key(work, user.id, name="first")
                everywhere = frozenset(PLACES)
                self.known.append(Known(made.key.id, made.value, name, None, frozenset({"*"}), None, everywhere, None))
        return project.id

    async def _find(self, key: Known, place: str) -> Caller | None:
        try:
            caller = (await find_credential(self.platform, key.token, address=place)).caller
        except (Unauthenticated, Forbidden):
            return None
        return caller

    async def _make(self, parent: Known, place: str, wanted: KeyRights) -> Known | None:
        caller = await self._find(parent, place)
        if caller is None:
            return None
        try:
            async with self.platform.database.transaction() as work:
                made = await create_key(work, caller, name="made", rights=wanted)
        except Forbidden:
            return None
        row = made.key
        places = set[str]().union(*(NETWORKS[network] for network in row.addresses)) if row.addresses else {*PLACES}
        rights = (frozenset(row.scopes), row.project_id, frozenset(places), row.expires_at)
        return Known(row.id, made.value, parent.user, parent, *rights)

    async def _revoke(self, actor: Known, place: str, key: Known) -> bool:
        caller = await self._find(actor, place)
        if caller is None:
            return False
        try:
            async with self.platform.database.transaction() as work:
                await revoke_key(self.platform, work, caller, key_id=key.id)
        except (Forbidden, NotFound):
            return False
        return True

    async def _run(self, statement: Any) -> None:
        async with self.platform.database.transaction() as work:
            await work.session.execute(statement)


def test_keys_do_what_the_model_of_them_says(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    limits = settings(max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=checks)
    context = stand_in_platform(tmp_path, postgres_url=postgres_url, redis_url=redis_url)
    with asyncio.Runner() as runner:
        parts = {"runner": runner, "platform": runner.run(context.__aenter__())}
        try:
            run_state_machine_as_test(type("KeysHere", (Keys,), parts), settings=limits)
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.mark.parametrize(
    ("address", "networks", "is_expected"),
    [
        ("203.0.113.9", [], True),
        ("", [], True),
        ("", ["0.0.0.0/0"], False),
        ("nonsense", ["0.0.0.0/0"], False),
        ("203.0.113.9", ["203.0.113.0/24"], True),
        ("::ffff:203.0.113.9", ["203.0.113.0/24"], True),
        ("203.0.114.9", ["203.0.113.0/24"], False),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("2001:db8::1", ["0.0.0.0/0"], False),
        ("203.0.113.9", ["::/0", "198.51.100.0/24"], False),
    ],
)
def test_an_address_is_in_a_network_or_not(address: str, networks: list[str], is_expected: bool) -> None:
    assert is_allowed(address, networks) is is_expected


async def test_a_key_made_while_its_parent_is_revoked_ends_with_it(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with stand_in_platform(tmp_path, postgres_url=postgres_url, redis_url=redis_url) as platform:
        async with platform.database.transaction() as work:
            user = User(id=new_id("usr"), email="ann@example.com")
            work.session.add(user)
            await work.session.flush()
            parent = await add_key(work, user.id, name="parent")
        caller = (await find_credential(platform, parent.value)).caller

        async def revoke() -> None:
            async with platform.database.transaction() as work:
                await revoke_key(platform, work, caller, key_id=parent.key.id)

        async with platform.database.transaction() as work:
            child = await create_key(work, caller, name="child", rights=KeyRights())
            revoking = asyncio.create_task(revoke())
            done, _ = await asyncio.wait([revoking], timeout=0.2)
            assert not done, "the revocation waits until the child is there to be revoked with its parent"
        await revoking
        with pytest.raises(Unauthenticated, match="was revoked"):
            await find_credential(platform, child.value)
        with pytest.raises(TowlineError, match="was revoked"):
            await _create(platform, caller)


async def _create(platform: Platform, caller: Caller) -> None:
    async with platform.database.transaction() as work:
        await create_key(work, caller, name="late", rights=KeyRights())
