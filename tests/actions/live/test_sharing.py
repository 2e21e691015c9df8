"""Equal reads at the same moment are done once."""

import asyncio

import pytest

from towline.actions.live.sharing import SharedReads
from towline.errors import NotFound


class Source:
    """Counts how often it is read; answers when let."""

    def __init__(self) -> None:
        self.reads = 0
        self.may_answer = asyncio.Event()

    async def read(self) -> int:
        self.reads += 1
        await self.may_answer.wait()
        return self.reads

    async def fail(self) -> int:
        await self.read()
        raise NotFound("There is no such thing.")


async def test_equal_reads_at_the_same_moment_are_done_once() -> None:
    source, shared = Source(), SharedReads()
    waiting = [asyncio.create_task(shared.get("log", source.read)) for _ in range(50)]
    await asyncio.sleep(0)
    source.may_answer.set()
    assert await asyncio.gather(*waiting) == [1] * 50
    assert await shared.get("log", source.read) == 2


async def test_reads_about_other_things_are_not_shared() -> None:
    source, shared = Source(), SharedReads()
    source.may_answer.set()
    assert sorted(await asyncio.gather(shared.get("one", source.read), shared.get("two", source.read))) in (
        [1, 2],
        [2, 2],
    )
    assert source.reads == 2


async def test_one_who_goes_takes_nothing_from_the_others() -> None:
    source, shared = Source(), SharedReads()
    gone, staying = (asyncio.create_task(shared.get("log", source.read)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    source.may_answer.set()
    assert await staying == 1


async def test_an_error_reaches_all_who_wait() -> None:
    source, shared = Source(), SharedReads()
    source.may_answer.set()
    outcomes = await asyncio.gather(*(shared.get("log", source.fail) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NotFound] * 3
    with pytest.raises(NotFound):
        await shared.get("log", source.fail)
