"""One-time codes: right within their window, taken once, and only by a secret that was confirmed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyotp.totp import TOTP
from tests.stand_ins import World

from towline.actions.second_factors.totp import (
    DRIFT_STEPS,
    STEP_SECONDS,
    begin_totp,
    confirm_totp,
    delete_totp,
    find_step,
    make_secret,
    use_totp_code,
)
from towline.errors import Conflict, InvalidInput, NotFound
from towline.models.base import utc_now
from towline.models.second_factors import TotpSecret

_moments = st.integers(10**9, 4 * 10**9).map(lambda second: datetime.fromtimestamp(second, UTC))
_secrets = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=32, max_size=32)


def test_the_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for second, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        assert find_step(secret, code, at=datetime.fromtimestamp(second, UTC), after=0) == second // STEP_SECONDS


@given(_secrets, _moments, st.integers(-100, 100))
def test_a_code_works_within_its_window_only(secret: str, moment: datetime, seconds: int) -> None:
    totp, typed_at = TOTP(secret), moment + timedelta(seconds=seconds)
    code = totp.at(moment)
    steps = int(typed_at.timestamp()) // STEP_SECONDS - int(moment.timestamp()) // STEP_SECONDS
    is_within = abs(steps) <= DRIFT_STEPS
    assume(is_within or code not in {totp.at(typed_at, counter_offset=offset) for offset in (-1, 0, 1)})
    assert (find_step(secret, code, at=typed_at, after=0) is not None) == is_within


@given(_secrets, _moments, st.lists(st.tuples(st.integers(0, 60), st.integers(-1, 1)), min_size=2, max_size=8))
def test_of_any_codes_typed_one_after_the_other_none_is_taken_twice(
    secret: str, moment: datetime, typed: list[tuple[int, int]]
) -> None:
    totp, last, taken = TOTP(secret), 0, list[int]()
    for waited, offset in typed:
        moment += timedelta(seconds=waited)
        step = find_step(secret, totp.at(moment, counter_offset=offset), at=moment, after=last)
        if step is not None:
            taken.append(step)
            last = step
    assert taken == sorted(set(taken))


@given(_secrets, _moments, st.text(max_size=12))
def test_what_is_no_code_is_never_taken(secret: str, moment: datetime, typed: str) -> None:
    codes = {TOTP(secret).at(moment, counter_offset=step) for step in (-1, 0, 1)}
    assume(typed.replace(" ", "") not in codes)
    assert find_step(secret, typed, at=moment, after=0) is None


async def test_codes_count_once_confirmed_each_once_and_not_after_they_were_turned_off(world: World) -> None:
    platform, user_id = world.platform, world.user.id
    async with platform.database.transaction() as work:
        setup = await begin_totp(platform, work, user_id, account="ann@example.com")
        assert setup.secret in setup.uri
        assert setup.qr_svg.startswith("<svg")
    totp, now = TOTP(setup.secret), utc_now()
    async with platform.database.transaction() as work:
        assert not await use_totp_code(platform.secrets, work.session, user_id, code=totp.at(now))
        row = await work.session.get_one(TotpSecret, user_id)
        assert setup.secret.encode() not in row.secret
        with pytest.raises(InvalidInput, match="code is wrong"):
            await confirm_totp(platform, work, user_id, code=TOTP(make_secret()).at(now))
        await confirm_totp(platform, work, user_id, code=totp.at(now))
        with pytest.raises(Conflict):
            await begin_totp(platform, work, user_id, account="ann@example.com")
        assert not await use_totp_code(platform.secrets, work.session, user_id, code=totp.at(now))
        later = totp.at(now, counter_offset=1)
        assert await use_totp_code(platform.secrets, work.session, user_id, code=later)
        assert not await use_totp_code(platform.secrets, work.session, user_id, code=later)
        await delete_totp(work, user_id)
        with pytest.raises(NotFound):
            await delete_totp(work, user_id)


async def test_of_requests_with_the_same_code_at_the_same_time_one_succeeds(world: World) -> None:
    platform, user_id = world.platform, world.user.id
    async with platform.database.transaction() as work:
        setup = await begin_totp(platform, work, user_id, account="ann@example.com")
        await confirm_totp(platform, work, user_id, code=TOTP(setup.secret).at(utc_now()))
    code = TOTP(setup.secret).at(utc_now(), counter_offset=1)

    async def use() -> bool:
        async with platform.database.transaction() as work:
            return await use_totp_code(platform.secrets, work.session, user_id, code=code)

    assert sum(await asyncio.gather(*(use() for _ in range(6)))) == 1
