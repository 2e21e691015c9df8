"""The life of one part, seen from inside: what is done once it has settled."""

import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import wait_until

from towline.supervise.identity import ProcessRecord, find_running_record, read_identity, write_record
from towline.supervise.keeper import Keeper
from towline.supervise.program import Part, Program
from towline.supervise.status import PartState


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


def test_a_part_that_is_another_now_ends_and_starts_as_that(tmp_path: Path) -> None:
    keeper = Keeper(_part(tmp_path, "/bin/sleep", "600"), pid_file=tmp_path / "pid")
    keeper.start_when_due()
    first = keeper.process_id
    assert not keeper.become(_part(tmp_path, "/bin/sleep", "600"))
    assert keeper.become(_part(tmp_path, "/bin/sleep", "601"))
    assert select.select([keeper.watch], [], [], 20)[0]
    keeper.bury()
    keeper.start_when_due()
    wait_until(lambda: find_running_record(tmp_path / "pid"))
    record = find_running_record(tmp_path / "pid")
    assert record is not None
    assert (keeper.process_id != first, record.fingerprint) == (True, keeper.part.fingerprint)
    keeper.stop_for_good()
    assert select.select([keeper.watch], [], [], 20)[0]
    keeper.bury()


def test_a_step_that_was_done_is_not_done_again_for_new_settings(tmp_path: Path) -> None:
    keeper = Keeper(_part(tmp_path, "/bin/true", runs_once=True), pid_file=tmp_path / "pid")
    keeper.start_when_due()
    assert select.select([keeper.watch], [], [], 20)[0]
    keeper.bury()
    assert not keeper.become(_part(tmp_path, "/bin/false", runs_once=True))
    keeper.start_when_due()
    assert (keeper.state, keeper.is_alive) == (PartState.READY, False)


def _part(folder: Path, *arguments: str, runs_once: bool = False) -> Part:
    program = Program(arguments=arguments, environment={}, log=folder / "log")
    return Part(name="one", title="One", program=program, runs_once=runs_once)
