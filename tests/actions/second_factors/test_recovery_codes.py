"""Recovery codes: ten, each good once, however it is typed, and for its own user only."""

import asyncio
import re
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.stand_ins import World

from towline.actions.second_factors.recovery_codes import (
    COUNT,
    code_hash,
    count_recovery_codes,
    create_recovery_codes,
    make_code,
    use_recovery_code,
)
from towline.models.second_factors import RecoveryCode

_CODE = re.compile(r"([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}")


@given(st.builds(make_code))
def test_a_code_is_the_same_however_it_is_typed(code: str) -> None:
    assert _CODE.fullmatch(code)
    typed = {code.upper(), code.replace("-", ""), code.replace("-", " "), code.replace("0", "o").replace("1", "I")}
    assert {code_hash("usr_1", variant) for variant in typed} == {code_hash("usr_1", code)}
    assert code_hash("usr_2", code) != code_hash("usr_1", code)
    assert code_hash("usr_1", make_code()) != code_hash("usr_1", code)


async def test_each_code_works_once_even_when_tried_at_the_same_time(world: World) -> None:
    platform, user_id = world.platform, world.user.id
    async with platform.database.transaction() as work:
        codes = await create_recovery_codes(work, user_id)
        kept = [row.code_hash for row in await work.session.scalars(select(RecoveryCode))]
    assert len(set(codes)) == COUNT == len(kept)
    assert not set(codes) & set(kept)

    async def use(code: str) -> bool:
        async with platform.database.transaction() as work:
            return await use_recovery_code(work.session, user_id, code=code)

    outcomes = await asyncio.gather(*(use(code) for code in [*codes, *codes]))
    assert sum(outcomes) == COUNT
    assert all(outcomes[place] != outcomes[place + COUNT] for place in range(COUNT))
    assert not await use(make_code())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, COUNT), st.sampled_from([str, str.upper, str.title])), max_size=25))
async def test_in_any_order_and_however_often_typed_each_code_is_taken_once(
    world: World, typed: list[tuple[int, Callable[[str], str]]]
) -> None:
    async with world.platform.database.transaction() as work:
        codes = [*await create_recovery_codes(work, world.user.id), make_code()]
        left = set(codes[:COUNT])
        for place, variant in typed:
            is_taken = await use_recovery_code(work.session, world.user.id, code=variant(codes[place]))
            assert is_taken == (codes[place] in left)
            left.discard(codes[place])
        assert await count_recovery_codes(work.session, world.user.id) == len(left)


async def test_new_codes_replace_the_old_ones(world: World) -> None:
    async with world.platform.database.transaction() as work:
        [old, *_] = await create_recovery_codes(work, world.user.id)
        [new, *_] = await create_recovery_codes(work, world.user.id)
        assert not await use_recovery_code(work.session, world.user.id, code=old)
        assert await use_recovery_code(work.session, world.user.id, code=new)
        assert await count_recovery_codes(work.session, world.user.id) == COUNT - 1
