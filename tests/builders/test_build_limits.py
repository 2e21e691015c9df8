"""Builds within limits against a real daemon: a greedy one fails alone, and time and cancel end every process."""

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.builders.parts import Build, Lines, docker

from towline.builders.buildkit import BuildKit
from towline.builders.dockerfile import DockerfileBuilder
from towline.errors import BuildFailed, OutOfMemory, TimedOut
from towline.values import BuildSpec

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0, reason="limits on build steps need root"),
]
MEGABYTE = 2**20


@pytest.fixture
def other_tag() -> Iterator[str]:
    """A second tag; its image is removed afterwards."""
    name = f"towline-test/{uuid.uuid4().hex[:12]}:2"
    yield name
    if docker("image", "ls", "--quiet", name):
        docker("image", "rm", "--force", name)


async def test_greedy_build_fails_alone_while_its_neighbour_goes_on(
    buildkit: BuildKit, tree: Path, tag: str, other_tag: str, lines: Lines, busybox_image: str
) -> None:
    builder = DockerfileBuilder(buildkit)
    greedy = BuildSpec(
        dockerfile=f"FROM {busybox_image}\nRUN sleep 0.3; head -c 4000m /dev/zero | tail\n", memory_bytes=64 * MEGABYTE
    )
    modest = BuildSpec(
        dockerfile=f"FROM {busybox_image}\nRUN head -c 100m /dev/zero | tail | wc -c; sleep 1\n",
        memory_bytes=256 * MEGABYTE,
        use_cache=False,
    )
    neighbour = asyncio.create_task(builder.build(tree, modest, tag=other_tag, labels=[], report=lines))

    with pytest.raises(OutOfMemory):
        await builder.build(tree, greedy, tag=tag, labels=[], report=Lines())

    await neighbour
    assert "104857600" in lines


async def test_build_that_needs_too_much_memory_says_so(build: Build, busybox_image: str, lines: Lines) -> None:
    started = time.monotonic()

    with pytest.raises(OutOfMemory, match=r"RUN head .* 64 MB"):
        await build(
            dockerfile=f"FROM {busybox_image}\nRUN head -c 4000m /dev/zero | tail\n", memory_bytes=64 * MEGABYTE
        )

    assert time.monotonic() - started < 45


async def test_step_that_hides_its_environment_is_limited_too(build: Build, busybox_image: str) -> None:
    with pytest.raises(OutOfMemory):
        await build(
            dockerfile=f'FROM {busybox_image}\nRUN exec env -i PATH=/bin sh -c "head -c 4000m /dev/zero | tail"\n',
            memory_bytes=64 * MEGABYTE,
        )


async def test_killed_process_inside_a_failing_step_counts_as_out_of_memory(build: Build, busybox_image: str) -> None:
    with pytest.raises(OutOfMemory):
        await build(
            dockerfile=f"FROM {busybox_image}\nRUN head -c 4000m /dev/zero | tail || (sleep 0.2; exit 2)\n",
            memory_bytes=64 * MEGABYTE,
        )


async def test_steps_get_the_cpu_share_of_the_build(build: Build, lines: Lines, busybox_image: str) -> None:
    await build(
        dockerfile=f"FROM {busybox_image}\nRUN sleep 0.3; timeout 1 yes > /dev/null; times; cat /proc/self/cgroup\n",
        cpus=0.25,
        use_cache=False,
    )

    used = [line.split() for line in lines if line.startswith("0m")][-1]
    seconds = sum(float(part.removeprefix("0m").removesuffix("s")) for part in used)
    assert seconds < 0.6


async def test_build_that_takes_too_long_says_what_ran_last(
    build: Build, busybox_image: str, processes: Callable[[str], list[int]]
) -> None:
    mark = f"30{uuid.uuid4().int % 10**6}"

    with pytest.raises(TimedOut, match=rf"1.5 s; the step “\[2/2\] RUN echo begun; sleep {mark}”") as failure:
        await build(dockerfile=f"FROM {busybox_image}\nRUN echo begun; sleep {mark}\n", timeout=timedelta(seconds=1.5))

    assert "begun" in failure.value.hint
    await wait_until(lambda: not processes(mark))


async def test_cancel_ends_every_process_of_the_build(
    build: Build, busybox_image: str, processes: Callable[[str], list[int]]
) -> None:
    mark = f"30{uuid.uuid4().int % 10**6}"
    task = asyncio.create_task(build(dockerfile=f"FROM {busybox_image}\nRUN sleep {mark}\n"))
    await wait_until(lambda: bool(processes(f"sleep\0{mark}")))

    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    await wait_until(lambda: not processes(mark), seconds=3)


async def test_steps_that_cannot_be_found_are_told_in_the_log(
    tree: Path, tag: str, lines: Lines, busybox_image: str
) -> None:
    (tree / "memory").mkdir()
    spec = BuildSpec(dockerfile=f"FROM {busybox_image}\nRUN sleep 0.6\n", use_cache=False)

    await DockerfileBuilder(BuildKit(cgroup_mount=tree)).build(tree, spec, tag=tag, labels=[], report=lines)

    assert "(no cgroup of a build step was found)" in lines.text


async def test_build_by_someone_who_may_not_limit_says_so_once(
    tree: Path, tag: str, lines: Lines, busybox_image: str
) -> None:
    buildkit = BuildKit(docker_host="unix:///var/run/docker.sock", cgroup_mount=tree)
    spec = BuildSpec(dockerfile=f"FROM {busybox_image}\nRUN false\n")

    for _ in range(2):
        with pytest.raises(BuildFailed, match="exit code 1"):
            await DockerfileBuilder(buildkit).build(tree, spec, tag=tag, labels=[], report=lines)

    assert lines.text.count("cannot be limited here") == 1


@pytest.fixture
def processes() -> Callable[[str], list[int]]:
    """Finds processes by a piece of their command line (arguments are separated by zero bytes)."""

    def find(mark: str) -> list[int]:
        found: list[int] = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    if mark.encode() in (folder / "cmdline").read_bytes():
                        found.append(int(folder.name))
        return found

    return find


async def wait_until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Poll until the condition holds; fail after some seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is nothing to wait on but the state of other processes
            await asyncio.sleep(0.02)
