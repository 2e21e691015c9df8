"""Guessing passwords: stopped by account and by address, while the owner still gets in."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from tests.stand_ins import stand_in_platform

from towline.actions.limits import OF_ACCOUNT, OF_ADDRESS, OF_KNOWN, WITHIN, Visit, count_visit, make_device_mark
from towline.actions.passwords import Passwords
from towline.actions.platform import Platform
from towline.actions.sign_in import SignedIn, sign_in
from towline.actions.users import create_user
from towline.errors import TooManyTries, Unauthenticated
from towline.infra.counters import Counters, Limit, LocalCounters

EMAIL, PASSWORD = "ann@example.com", "seven lazy tugboats"
GUESS = "not it at all"


@dataclass
class CountedPasswords(Passwords):
    """The real ones, counting how often a password was hashed to be compared."""

    compared: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__init__()

    async def verify(self, password_hash: str, password: str) -> bool:
        """Compare, and count it."""
        self.compared += 1
        return await super().verify(password_hash, password)


@dataclass
class Place:
    """A platform with one user."""

    platform: Platform
    user_id: str
    passwords: CountedPasswords

    async def tried(self, visit: Visit, password: str = GUESS, *, email: str = EMAIL) -> str:
        """What comes of a try: `in`, `wrong` or `blocked`."""
        try:
            outcome = await sign_in(self.platform, email, password, visit=visit)
        except Unauthenticated:
            return "wrong"
        except TooManyTries as error:
            return "blocked" if 0 < error.seconds <= WITHIN.total_seconds() else "blocked for no time"
        assert isinstance(outcome, SignedIn)
        return "in"


@asynccontextmanager
async def _open(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncGenerator[Place]:
    async with stand_in_platform(tmp_path, postgres_url=postgres_url, redis_url=redis_url) as platform:
        passwords = CountedPasswords()
        object.__setattr__(platform, "passwords", passwords)
        password_hash = await passwords.hash(PASSWORD)
        async with platform.database.transaction() as work:
            user = await create_user(work, email=EMAIL, name="Ann", password_hash=password_hash)
        yield Place(platform, user.id, passwords)


@pytest.fixture
async def place(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[Place]:
    """A platform with one user, and an empty Valkey."""
    async with _open(tmp_path, postgres_url, redis_url) as place:
        yield place


@pytest.mark.slow
async def test_ten_thousand_tries_are_blocked_and_the_owner_still_gets_in(place: Place) -> None:
    at_home = Visit(address="198.51.100.7")
    assert await place.tried(at_home, PASSWORD) == "in"
    compared = place.passwords.compared
    attackers = [Visit(address=f"10.{number // 250}.{number % 250}.1") for number in range(10_000)]
    found: list[str] = []
    for first in range(0, len(attackers), 100):
        found += await asyncio.gather(*(place.tried(visit) for visit in attackers[first : first + 100]))
    assert found.count("wrong") == place.passwords.compared - compared == OF_ACCOUNT
    assert found.count("blocked") == 10_000 - OF_ACCOUNT

    mark = make_device_mark(place.platform, place.user_id)
    assert await place.tried(Visit(address="192.0.2.1"), PASSWORD) == "blocked", "a stranger with the right password"
    assert await place.tried(at_home, PASSWORD) == "in", "an address that was signed in from before"
    assert await place.tried(Visit(address="192.0.2.1", mark=mark), PASSWORD) == "in", "a device that is known"


async def test_one_address_is_stopped_whatever_accounts_it_tries_and_ipv6_by_its_network(place: Place) -> None:
    found = [await place.tried(Visit(address=f"2001:db8::{n:x}"), email=f"u{n}@example.com") for n in range(OF_ADDRESS)]
    assert set(found) == {"wrong"}
    assert await place.tried(Visit(address="2001:db8::ffff"), email="other@example.com") == "blocked"
    assert await place.tried(Visit(address="2001:db8:0:1::1"), email="other@example.com") == "wrong"
    compared = place.passwords.compared
    assert await place.tried(Visit(address="2001:db8::1"), email="other@example.com") == "blocked"
    assert place.passwords.compared == compared, "a blocked try costs no hash"


async def test_a_known_device_is_a_limit_of_its_own_and_no_way_to_guess_without_end(place: Place) -> None:
    thief = Visit(address="192.0.2.1", mark=make_device_mark(place.platform, place.user_id))
    assert [await place.tried(thief) for _ in range(OF_KNOWN + 1)] == ["wrong"] * OF_KNOWN + ["blocked"]
    assert await place.tried(Visit(address="192.0.2.1"), PASSWORD) == "in", "it does not count against others"
    for mark in (make_device_mark(place.platform, "usr_other"), "made up", "AAAA", "é"):
        stranger = Visit(address="192.0.2.2", mark=mark)
        assert await place.tried(stranger, PASSWORD) == "in"
    assert [await place.tried(Visit(address="192.0.2.3")) for _ in range(OF_ACCOUNT + 1)][-1] == "blocked"


async def test_strangers_cannot_use_up_the_passkeys_of_known_devices(place: Place) -> None:
    at = "192.0.2.1"
    for _ in range(OF_ADDRESS):
        await count_visit(place.platform, Visit(address=at))
    for mark in ("", "made up"):
        with pytest.raises(TooManyTries):
            await count_visit(place.platform, Visit(address=at, mark=mark))
    known = Visit(address=at, mark=make_device_mark(place.platform, place.user_id))
    for _ in range(OF_ADDRESS):
        await count_visit(place.platform, known)
    with pytest.raises(TooManyTries):
        await count_visit(place.platform, known)


async def test_without_valkey_each_process_counts_for_itself(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    async with _open(tmp_path, postgres_url, redis_url) as place:
        await place.platform.counters.close()
        gone = Counters(f"unix://{tmp_path}/gone.sock")
        object.__setattr__(place.platform, "counters", gone)
        found = [await place.tried(Visit(address="192.0.2.1")) for _ in range(OF_ACCOUNT + 1)]
        assert found == ["wrong"] * OF_ACCOUNT + ["blocked"]


async def test_a_success_is_taken_back_and_a_reached_limit_counts_nothing(redis_url: str, tmp_path: Path) -> None:
    one, two = Limit("one", 2), Limit("two", 3)
    shared, local = Counters(redis_url), LocalCounters()
    for counters in (shared, Counters(f"unix://{tmp_path}/gone.sock")):
        within = timedelta(minutes=1)
        assert await counters.take([one, two], within=within) is None
        assert await counters.take([one, two], within=within) is None
        full = await counters.take([one, two], within=within)
        assert full is not None
        assert (full.limit, 0 < full.seconds <= 60) == (one, True)
        assert await counters.take([two], within=within) is None, "the refused try was not counted"
        await counters.give_back([one])
        assert await counters.take([one], within=within) is None
        await counters.close()
    small = LocalCounters(most=2)
    assert small.take([one, two], seconds=60) is None
    assert small.take([Limit("three", 9)], seconds=60) is not None, "what does not fit is refused"
    assert local.take([Limit("past", 1)], seconds=0) is None
    assert local.take([Limit("past", 1)], seconds=0) is None, "an ended time begins anew"
