"""What may wait goes on after what is quick, and in any case."""

import asyncio
from datetime import timedelta

from towline.infra.precedence import Precedence


async def test_what_may_wait_goes_on_after_all_that_is_quick() -> None:
    precedence = Precedence(calm=timedelta(milliseconds=1), longest=timedelta(minutes=10))
    await precedence.give_way()
    with precedence.first():
        with precedence.first():
            waiting = asyncio.create_task(precedence.give_way())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    async with asyncio.timeout(60):
        await waiting


async def test_what_may_wait_goes_on_at_last_while_quick_things_never_end() -> None:
    precedence = Precedence(calm=timedelta(minutes=10), longest=timedelta(milliseconds=1))
    with precedence.first():
        async with asyncio.timeout(60):
            await precedence.give_way()
