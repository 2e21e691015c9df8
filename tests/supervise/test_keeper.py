"""The life of one part, seen from inside: what is done once it has settled."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.supervise.identity import ProcessRecord, read_identity, write_record
from towline.supervise.keeper import Keeper
from towline.supervise.program import Part, Program


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        yield sleeping
        sleeping.kill()


def keeper_of(
    process: "subprocess.Popen[bytes]", folder: Path, *, told: list[int], settles_after: tuple[float, ...]
) -> Keeper:
    """A keeper that has adopted the process."""
    program = Program(arguments=("/bin/sleep", "60"), environment={}, log=folder / "log")
    part = Part(
        name="one",
        title="One",
        program=program,
        survives=True,
        after_start=told.append,
        settles_after=settles_after,
    )
    identity = read_identity(process.pid)
    assert identity is not None
    write_record(folder / "pid", ProcessRecord(identity, part.fingerprint))
    keeper = Keeper(part, pid_file=folder / "pid")
    assert keeper.adopt()
    assert keeper.look_ready()
    return keeper


def test_what_comes_after_a_start_is_done_as_often_as_it_is_to_be_and_no_more(
    process: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    told: list[int] = []
    keeper = keeper_of(process, tmp_path, told=told, settles_after=(0, 0))
    for _ in range(3):
        keeper.settle()
    assert told == [process.pid, process.pid]
    assert keeper.next_look() is None


def test_what_comes_after_a_start_waits_until_the_part_has_settled(
    process: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    told: list[int] = []
    keeper = keeper_of(process, tmp_path, told=told, settles_after=(0, 3600))
    for _ in range(3):
        keeper.settle()
    assert told == [process.pid]
    assert (keeper.next_look() or 0) > 0
