"""Bytes out of and into instances and volumes, held against every orchestrator."""

import asyncio
import io
import tarfile
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from tests.orchestrators.parts import Bench

from towline.errors import CommandFailed, Conflict, NotFound
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.values import VolumeMount


async def in_chunks(content: bytes, *, size: int = 65_536) -> AsyncIterator[bytes]:
    """Content piece by piece."""
    for position in range(0, len(content), size):
        yield content[position : position + size]


class TestStreams:
    """What every orchestrator promises of streams."""

    async def test_a_commands_output_comes_as_bytes_and_its_failure_with_its_words(self, bench: Bench) -> None:
        (instance,) = (await bench.orchestrator.deploy(bench.spec("silent"), count=1)).instances
        async with aclosing(bench.orchestrator.read_command(instance, ["echo", "hello"])) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == b"hello\n"
        with pytest.raises(CommandFailed, match="exit code 1"):
            async with aclosing(bench.orchestrator.read_command(instance, ["false"])) as chunks:
                assert [chunk async for chunk in chunks if chunk] == []

    async def test_a_volume_is_written_as_it_was_read_and_never_under_an_instance(self, bench: Bench) -> None:
        name, copy = (f"towline-test-{uuid.uuid4().hex[:8]}" for _ in range(2))
        spec = bench.spec("silent", volumes=(VolumeMount(name, "/data"),))
        (instance,) = (await bench.orchestrator.deploy(spec, count=1)).instances
        try:
            if not isinstance(bench.orchestrator, MemoryOrchestrator):
                words = ["sh", "-c", "mkdir /data/a && echo kept >/data/a/note && dd of=/data/owner </dev/null"]
                assert (await bench.orchestrator.execute(instance, words, timeout_seconds=10))[0] == 0
            async with aclosing(bench.orchestrator.read_volume(name, image=spec.image)) as chunks:
                content = b"".join([chunk async for chunk in chunks])
            with pytest.raises(Conflict):
                await bench.orchestrator.write_volume(name, in_chunks(content), image=spec.image)
            await bench.orchestrator.write_volume(copy, in_chunks(content), image=spec.image)
            async with aclosing(bench.orchestrator.read_volume(copy, image=spec.image)) as chunks:
                again = b"".join([chunk async for chunk in chunks])
            assert _members(again) == _members(content)
            sizes = await bench.orchestrator.list_volumes(timeout_seconds=20)
            assert {name, copy} <= sizes.keys()
        finally:
            await bench.orchestrator.remove(instance, grace_seconds=0)
            for volume in (name, copy):
                await bench.orchestrator.remove_volume(volume)
        with pytest.raises(NotFound):
            async with aclosing(bench.orchestrator.read_volume(name, image=spec.image)) as chunks:
                await anext(chunks)


def _members(content: bytes) -> dict[str, tuple[int, int, bytes]]:
    if not content:
        return {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = {member.name: member for member in archive}
        return {
            name: (
                member.mode,
                member.uid,
                (archive.extractfile(name) or io.BytesIO()).read() if member.isfile() else b"",
            )
            for name, member in members.items()
        }


@pytest.mark.docker
class TestDockerStreams:
    """What needs a real program at the other end."""

    async def test_megabytes_go_in_and_come_out_again_byte_for_byte(self, docker_bench: Bench) -> None:
        content = bytes(range(256)) * 20_000
        orchestrator = docker_bench.orchestrator
        (instance,) = (await orchestrator.deploy(docker_bench.spec("silent"), count=1)).instances
        code, output = await orchestrator.feed_command(instance, ["sh", "-c", "cat >/kept"], in_chunks(content))
        assert (code, output) == (0, "")
        async with aclosing(orchestrator.read_command(instance, ["cat", "/kept"])) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == content

    async def test_a_command_that_stops_reading_ends_the_feeding(self, docker_bench: Bench) -> None:
        orchestrator = docker_bench.orchestrator
        (instance,) = (await orchestrator.deploy(docker_bench.spec("silent"), count=1)).instances
        feeding = orchestrator.feed_command(instance, ["sh", "-c", "echo no >&2; exit 3"], in_chunks(b"x" * 50_000_000))
        assert await asyncio.wait_for(feeding, 30) == (3, "no\n")

    async def test_a_cancelled_command_is_ended(self, docker_bench: Bench) -> None:
        orchestrator = docker_bench.orchestrator
        (instance,) = (await orchestrator.deploy(docker_bench.spec("silent"), count=1)).instances

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await asyncio.sleep(0.05)

        feeding = asyncio.ensure_future(orchestrator.feed_command(instance, ["sh", "-c", "cat >/dev/null"], endless()))
        async with aclosing(orchestrator.read_command(instance, ["sh", "-c", "echo a; exec sleep 777"])) as chunks:
            assert await anext(chunks) == b"a\n"
        await asyncio.wait([feeding], timeout=0.5)
        feeding.cancel()
        await asyncio.wait([feeding])
        _, left = await orchestrator.execute(
            instance, ["sh", "-c", "for p in /proc/[0-9]*; do cat $p/cmdline; echo; done"], timeout_seconds=10
        )
        assert "777" not in left
        assert "/dev/null" not in left
