"""What happens when processes die: the databases', and the supervisor itself."""

import os
import signal
import subprocess
from collections.abc import Callable

import pytest
from tests.conftest import wait_until
from tests.supervise.conftest import Run

from towline.supervise.identity import (
    ProcessIdentity,
    ProcessRecord,
    find_running_record,
    is_running,
    read_identity,
    write_record,
)
from towline.supervise.layout import Layout
from towline.supervise.status import PartState, find_status


@pytest.mark.slow
@pytest.mark.parametrize("part", ["postgres", "valkey"])
def test_a_killed_server_is_started_again(running: Run, part: str) -> None:
    killed = running.process_id(part)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: running.has_new_process(part, killed))
    assert running.status.parts[part].restarts >= 1


def test_servers_outlive_a_killed_supervisor_and_are_adopted_by_the_next(
    running: Run, start: Callable[..., Run]
) -> None:
    before = {name: running.process_id(name) for name in ("postgres", "valkey")}
    running.kill()
    assert all(read_identity(process_id) for process_id in before.values())
    following = start()
    wait_until(following.is_ready)
    assert {name: following.process_id(name) for name in before} == before
    assert all(part.adopted for part in following.status.parts.values())
    os.kill(before["valkey"], signal.SIGKILL)
    wait_until(lambda: following.has_new_process("valkey", before["valkey"]))


def test_a_server_started_differently_is_replaced_instead_of_adopted(running: Run, start: Callable[..., Run]) -> None:
    before = running.process_id("valkey")
    record = find_running_record(running.layout.pid_file("valkey"))
    assert record is not None
    running.kill()
    write_record(running.layout.pid_file("valkey"), ProcessRecord(record.identity, "another configuration"))
    following = start()
    wait_until(following.is_ready)
    assert following.process_id("valkey") != before
    assert not is_running(record.identity)


def test_stopping_ends_every_server(running: Run) -> None:
    servers = [running.process_id(name) for name in ("postgres", "valkey")]
    assert running.stop() == 0
    assert not any(read_identity(process_id) for process_id in servers)


def test_a_second_supervisor_of_the_same_folder_is_refused(running: Run, start: Callable[..., Run]) -> None:
    second = start()
    assert second.process.wait(20) == 5
    assert second.process.stderr is not None
    assert b"already runs" in second.process.stderr.read()
    assert running.is_ready()


@pytest.mark.slow
def test_a_part_that_keeps_dying_is_shown_and_tried_for_ever(start: Callable[..., Run]) -> None:
    run = start(environment={"TOWLINE_VALKEY_BINARY": "/bin/false"})
    wait_until(lambda: _state_of(run, "valkey") is PartState.CRASH_LOOPING)
    assert run.status.parts["valkey"].reason == "Valkey exited with code 1."
    assert run.status.parts["postgres"].state is PartState.READY
    tries = run.status.parts["valkey"].restarts
    run.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: run.status.parts["valkey"].restarts > tries)


def test_everything_ends_with_the_process_on_the_leash(start: Callable[..., Run]) -> None:
    holder = subprocess.Popen(["sleep", "60"])
    run = start(leash=holder.pid)
    wait_until(run.is_ready)
    postgres = run.process_id("postgres")
    holder.kill()
    holder.wait()
    assert run.process.wait(30) == 0
    assert read_identity(postgres) is None


def test_a_reused_process_id_is_not_taken_for_a_server(layout: Layout, start: Callable[..., Run]) -> None:
    layout.prepare()
    own = read_identity(os.getpid())
    assert own is not None
    earlier = ProcessIdentity(own.process_id, own.started - 1, own.program, own.boot)
    write_record(layout.pid_file("valkey"), ProcessRecord(earlier, ""))
    run = start()
    wait_until(run.is_ready)
    assert not run.status.parts["valkey"].adopted


def _state_of(run: Run, part: str) -> PartState | None:
    assert run.process.poll() is None
    status = find_status(run.layout.status_file)
    return status.parts[part].state if status else None
