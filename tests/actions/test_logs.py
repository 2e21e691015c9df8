"""Logs: every line once, in order, masked, to any number of readers."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

import pytest
from tests.stand_ins import World

from towline.actions.logs import LogWriter, follow_lines, log_channel, read_lines
from towline.actions.masking import MASK, Masker


async def collect(world: World, owner: str, count: int, *, after: int = 0) -> list[int]:
    seen: list[int] = []
    async with asyncio.timeout(20):
        async for lines in follow_lines(world.platform, owner, after=after):
            seen += [line["sequence"] for line in lines]
            if len(seen) >= count:
                return seen
    return seen


async def write(world: World, owner: str, count: int) -> None:
    async with LogWriter(world.platform, owner, project_id=world.project.id) as log:
        for number in range(count):
            await log.write(f"line {number}")
            if number % 100 == 0:
                await asyncio.sleep(0.005)


async def test_followers_see_every_line_once_in_order_while_several_writers_write(world: World) -> None:
    followers = [asyncio.create_task(collect(world, "dep_1", 2000)) for _ in range(5)]
    await asyncio.gather(*(write(world, "dep_1", 500) for _ in range(4)))
    late = await collect(world, "dep_1", 1000, after=1000)

    assert [await follower for follower in followers] == [list(range(1, 2001))] * 5
    assert late == list(range(1001, 2001))


async def test_a_follower_ends_once_the_log_is_over_and_read(world: World) -> None:
    await write(world, "dep_1", 10)
    is_over = asyncio.Event()
    is_over.set()
    seen = [
        line["sequence"] async for lines in follow_lines(world.platform, "dep_1", is_over=is_over) for line in lines
    ]

    assert seen == list(range(1, 11))


async def test_a_writer_learns_whether_its_log_is_followed(world: World) -> None:
    channel, streams = log_channel("dep_1"), world.platform.streams
    assert await streams.publish(channel, b"[]") == 0
    async with streams.subscribe(channel), streams.subscribe(channel):
        assert await streams.publish(channel, b"[]") == 1  # one process, however many follow in it


async def test_a_batch_keeps_what_each_line_is(world: World) -> None:
    at = datetime(2026, 8, 1, 12, tzinfo=UTC)
    async with LogWriter(world.platform, "dep_1", project_id=world.project.id) as log:
        await log.write("one", stream="stderr", level="error", instance_id="ins_1", at=at)
        await log.write("{a,b}\\", at=at + timedelta(seconds=1))
    expected = [(1, at, "stderr", "error", "ins_1", "one")]
    expected += [(2, at + timedelta(seconds=1), "system", "info", None, "{a,b}\\")]
    names = ("sequence", "at", "stream", "level", "instance_id", "message")
    assert [tuple(line[name] for name in names) for line in await read_lines(world.platform, "dep_1")] == expected


async def test_lines_are_searched_and_tailed(world: World) -> None:
    await write(world, "dep_1", 30)

    found = await read_lines(world.platform, "dep_1", query="LINE 2")
    assert [line["message"] for line in found] == ["line 2", *(f"line {number}" for number in range(20, 30))]
    assert await read_lines(world.platform, "dep_1", query="100%_") == []


async def test_secrets_and_characters_that_cannot_be_stored_never_enter(world: World) -> None:
    masker = Masker(["hunter2-secret"])
    async with LogWriter(world.platform, "dep_1", project_id=world.project.id, masker=masker) as log:
        await log.write("password=hunter2-secret\0")
    lines = await read_lines(world.platform, "dep_1")

    assert lines[0]["message"] == f"password={MASK}�"


def test_each_line_and_the_base64_form_of_a_secret_are_masked() -> None:
    masker = Masker(["first-line\nsecond-line"])

    assert masker.mask("a second-line b") == f"a {MASK} b"
    assert "Zmlyc3Q" not in masker.mask("Zmlyc3QtbGluZQpzZWNvbmQtbGluZQ==")
    assert Masker(["abc"]).mask("abcabc") == "abcabc"


@pytest.mark.parametrize("secret", ['p"ss/w ö+rd?&', "geheim-und-lang"])
def test_a_secret_is_masked_in_every_form_that_programs_print(secret: str) -> None:
    masker = Masker([secret])
    for shown in (
        json.dumps({"password": secret}),
        f"postgres://ann:{quote(secret, safe='')}@db",
        f"GET /?password={quote_plus(secret)}",
        *(
            base64.b64encode(f"{'x' * before}{secret}{after}".encode()).decode()
            for before in range(4)
            for after in ("", "!")
        ),
    ):
        assert MASK in masker.mask(shown), shown


async def test_a_secret_on_the_border_between_two_pieces_of_a_line_is_masked(world: World) -> None:
    masker = Masker(["hunter2-secret"])
    async with LogWriter(world.platform, "dep_1", project_id=world.project.id, masker=masker) as log:
        await log.write("x" * (16_384 - 7) + "hunter2", stream="stdout")
        await log.write("other", stream="stderr")
        await log.write("-secret and more", stream="stdout")
        await log.write("-secret is no secret", stream="stdout")
    first, _, second, third = [line["message"] for line in await read_lines(world.platform, "dep_1")]
    assert "hunter2" not in first
    assert (second, third) == (f"{MASK} and more", "-secret is no secret")
