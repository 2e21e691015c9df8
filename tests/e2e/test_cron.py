"""Cron services with real containers: what a run prints and comes to, cancelling, and a worker that is killed."""

import asyncio
import json
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import QUICK
from tests.e2e.parts import command_app, containers_of, docker, succeeded
from tests.e2e.survival_picture import connect
from tests.running import RunningTowline, running_towline, wait_for

from towline.contract.runs import Run
from towline.contract.services import ServiceUpdate
from towline.contract.variables import VariablesSet, VariableValue

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
CHORE = "echo password $SECRET; echo $TOWLINE_RELEASE >>/data/releases; cat /data/releases; exit $(cat /code)"
PATIENT = "trap 'echo tidying up; exit 3' TERM; echo begun; while true; do sleep 0.1; done"
SETTINGS = {"type": "cron", "schedule": "* * * * *", "volumes": [{"name": "data", "path": "/data"}]}


@pytest.fixture(scope="module")
def mortal(base_image: str) -> Iterator[RunningTowline]:
    """A Towline whose worker may be killed."""
    del base_image
    with running_towline(**QUICK, TOWLINE_PROCESSES="separate", TOWLINE_LEASE="PT3S") as running:
        running.bypass_router()
        yield running


@pytest.fixture
def project(mortal: RunningTowline) -> Iterator[str]:
    """A project of this test's own with the cron service `chore`, whose schedule is far away."""
    name = f"p{secrets.token_hex(4)}"
    mortal.create_service(name, "chore", **{**SETTINGS, "schedule": "0 0 1 1 *"})
    yield name
    mortal.client.projects.delete(name)


def test_a_run_has_the_variables_volumes_and_log_of_its_own(mortal: RunningTowline, project: str) -> None:
    secret = VariableValue(name="SECRET", value="correct-horse", is_secret=True)
    mortal.client.variables.set(project, VariablesSet(variables=[secret]))
    succeeded(mortal.deploy_files(project, command_app(CHORE, more="RUN echo 0 >/code"), service="chore"))
    assert containers_of(project, "chore", all_states=True) == []
    first = mortal.command("run", f"{project}/chore")
    assert first.returncode == 0, first.stderr
    assert "password" in first.stdout
    assert "correct-horse" not in first.stdout
    succeeded(mortal.deploy_files(project, command_app(CHORE, more="RUN echo 7 >/code"), service="chore"))
    second = mortal.command("run", f"{project}/chore")
    assert second.returncode != 0
    assert "exit code 7" in second.stderr
    printed = mortal.command("runs", "logs", f"{project}/chore").stdout.splitlines()
    assert printed[2:4] == ["1", "2"]
    listed = mortal.command("runs", "list", f"{project}/chore").stdout
    assert "failed" in listed
    assert "success" in listed
    assert mortal.client.services.get_status(project, "chore").health == "unhealthy"
    assert _left_over(project) == ""


def test_what_is_due_runs_by_itself(mortal: RunningTowline, project: str) -> None:
    mortal.client.services.update(project, "chore", ServiceUpdate(schedule="*/5 * * * *"))
    succeeded(mortal.deploy_files(project, command_app("echo on time"), service="chore"))
    wait_for(lambda: asyncio.run(_turn_back(mortal.folder)) or None)
    run = wait_for(lambda: next((run for run in _runs(mortal, project) if run.status.is_final), None))
    assert (run.trigger, run.status) == ("schedule", "success")
    assert "on time" in _log(mortal, project, run)


def test_a_cancelled_run_may_tidy_up(mortal: RunningTowline, project: str) -> None:
    run = _begun(mortal, project)
    cancelled = mortal.command("runs", "cancel", f"{project}/chore")
    assert cancelled.returncode == 0, cancelled.stderr
    ended = mortal.client.runs.wait(project, "chore", run.id)
    assert ended.status == "cancelled"
    assert "tidying up" in _log(mortal, project, run)
    assert _left_over(project) == ""


def test_a_run_ends_with_its_time_limit(mortal: RunningTowline, project: str) -> None:
    mortal.client.services.update(project, "chore", ServiceUpdate(timeout_seconds=2))
    run = _begun(mortal, project)
    ended = mortal.client.runs.wait(project, "chore", run.id)
    assert (ended.status, ended.exit_code) == ("failed", None)
    assert "limit of 2 s" in ended.error
    assert "tidying up" in _log(mortal, project, run)


def test_a_killed_worker_leaves_no_container_and_no_run_that_goes_on(mortal: RunningTowline, project: str) -> None:
    run = _begun(mortal, project)
    parts = json.loads((mortal.folder / "run" / "status.json").read_text())["parts"]
    os.kill(parts["worker"]["process_id"], signal.SIGKILL)
    ended = mortal.client.runs.wait(project, "chore", run.id)
    assert ended.status == "failed"
    assert "interrupted" in ended.error
    wait_for(lambda: _left_over(project) == "" or None)
    assert [one.id for one in _runs(mortal, project)] == [run.id]


def _begun(towline: RunningTowline, project: str) -> Run:
    """A run whose program waits until it is told to end."""
    succeeded(towline.deploy_files(project, command_app(PATIENT), service="chore"))
    run = towline.client.runs.run_now(project, "chore")
    wait_for(lambda: "begun" in _log(towline, project, run) or None)
    return run


def _runs(towline: RunningTowline, project: str) -> list[Run]:
    return towline.client.runs.list(project, "chore").items


def _log(towline: RunningTowline, project: str, run: Run) -> list[str]:
    return [entry.message for entry in towline.client.runs.get_logs(project, "chore", run.id).items]


def _left_over(project: str) -> str:
    return docker("ps", "--all", "--quiet", "--filter", f"label=towline.project={project}")


async def _turn_back(data: Path) -> bool:
    """Pretend that the time of the next run has come and gone; whether the conductor had looked at it before."""
    connection = await connect(data)
    try:
        statement = "UPDATE workloads SET next_run_at = now() - interval '5 min' WHERE next_run_at < now() + '6 min'"
        return await connection.execute(statement) == "UPDATE 1"
    finally:
        await connection.close()
