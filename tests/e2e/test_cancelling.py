"""Cancelling really cancels, in every step; and a newer request replaces the ones that wait."""

import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.parts import (
    app,
    command_app,
    containers_of,
    docker,
    host_of,
    start_deployment,
    succeeded,
    wait_for_step,
)
from tests.running import RunningTowline, wait_for

from towline.contract.deployments import Deployment, DeployRequest
from towline.values import DeploymentStatus

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
SECONDS = 8
"""Longest time from the request to cancel to the end, on a busy machine."""


def _cancel(towline: RunningTowline, deployment_id: str) -> Deployment:
    began = time.monotonic()
    cancelled = towline.command("cancel", deployment_id)
    assert cancelled.returncode == 0, cancelled.stderr
    ended = towline.client.wait_for_deployment(deployment_id, timeout=SECONDS)
    assert ended.status is DeploymentStatus.CANCELLED, (ended.status, ended.error)
    assert time.monotonic() - began < SECONDS
    return ended


def _processes_with(text: str) -> list[str]:
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


@contextmanager
def _silent_server() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def host(towline: RunningTowline, project: str) -> str:
    """The host of a service that serves its first version."""
    towline.create_service(project)
    return host_of(succeeded(towline.deploy_files(project, app("old"))))


@pytest.fixture
def check_unharmed(towline: RunningTowline, project: str, host: str) -> Callable[[], None]:
    """Checks that the first version serves, that nothing else is left, and that the next deployment works at once."""
    old = containers_of(project)

    def check() -> None:
        assert towline.get(host).text == "old"
        wait_for(lambda: containers_of(project, all_states=True) == old, timeout=SECONDS)
        succeeded(towline.deploy_files(project, app("next"), timeout=30))
        assert towline.get(host).text == "next"

    return check


def test_while_it_fetches(towline: RunningTowline, project: str, check_unharmed: Callable[[], None]) -> None:
    with _silent_server() as port:
        source = {"type": "git", "config": {"url": f"http://127.0.0.1:{port}/hangs.git"}}
        towline.create_service(project, "fromgit", source=source)
        deployment = towline.client.services.deploy(project, "fromgit", DeployRequest())
        wait_for_step(towline, deployment.id, "fetch")
        wait_for(lambda: _processes_with(f"127.0.0.1:{port}/hangs.git"))
        _cancel(towline, deployment.id)
        wait_for(lambda: not _processes_with(f"127.0.0.1:{port}/hangs.git"), timeout=SECONDS)
    check_unharmed()


def test_while_it_builds(towline: RunningTowline, project: str, check_unharmed: Callable[[], None]) -> None:
    deployment = start_deployment(towline, project, app("new", more="RUN sleep 987654"))
    wait_for_step(towline, deployment, "build")
    wait_for(lambda: _processes_with("sleep 987654"))
    _cancel(towline, deployment)
    wait_for(lambda: not _processes_with("sleep 987654"), timeout=SECONDS)
    check_unharmed()


def test_while_it_waits_for_health(towline: RunningTowline, project: str, check_unharmed: Callable[[], None]) -> None:
    deployment = start_deployment(towline, project, command_app("exec sleep 876543"))
    wait_for_step(towline, deployment, "health")
    _cancel(towline, deployment)
    assert docker("ps", "--all", "--quiet", "--filter", f"label=towline.deployment={deployment}") == ""
    check_unharmed()


def test_while_its_release_command_runs(
    towline: RunningTowline, project: str, check_unharmed: Callable[[], None]
) -> None:
    towline.create_service(project, "other", release_command=["sleep", "765432"])
    deployment = start_deployment(towline, project, app("new"), "other")
    wait_for_step(towline, deployment, "release_command")
    wait_for(lambda: _processes_with("sleep 765432"))
    _cancel(towline, deployment)
    wait_for(lambda: not _processes_with("sleep 765432"), timeout=SECONDS)
    assert docker("ps", "--all", "--quiet", "--filter", f"label=towline.deployment={deployment}") == ""
    check_unharmed()


def test_while_it_is_queued_and_the_running_one_goes_on(
    towline: RunningTowline, project: str, check_unharmed: Callable[[], None]
) -> None:
    running = start_deployment(towline, project, app("slow", more="RUN sleep 654321"))
    wait_for_step(towline, running, "build")
    waiting = start_deployment(towline, project, app("never"))
    assert towline.client.deployments.get_status(waiting).status is DeploymentStatus.QUEUED
    _cancel(towline, waiting)
    assert towline.client.deployments.get_status(running).step == "build"
    _cancel(towline, running)
    check_unharmed()


def test_a_cancelled_deployment_lets_the_next_one_begin(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    running = start_deployment(towline, project, app("slow", more="RUN sleep 543210"))
    wait_for_step(towline, running, "build")
    waiting = start_deployment(towline, project, app("next"))
    _cancel(towline, running)
    deployment = succeeded(towline.client.wait_for_deployment(waiting, timeout=30))
    assert towline.get(host_of(deployment)).text == "next"


def test_a_newer_request_replaces_those_that_wait(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    running = start_deployment(towline, project, app("slow", more="RUN sleep 432109"))
    wait_for_step(towline, running, "build")
    replaced = [start_deployment(towline, project, app(text)) for text in ("never", "neither")]
    newest = start_deployment(towline, project, app("newest"))
    states = [towline.client.deployments.get_status(one).status for one in (*replaced, newest)]
    assert states == [DeploymentStatus.SUPERSEDED, DeploymentStatus.SUPERSEDED, DeploymentStatus.QUEUED]
    _cancel(towline, running)
    deployment = succeeded(towline.client.wait_for_deployment(newest, timeout=30))
    assert towline.get(host_of(deployment)).text == "newest"


def test_a_rollback_does_not_wait_for_what_runs(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, app("one")))
    host = host_of(succeeded(towline.deploy_files(project, app("two"))))
    running = start_deployment(towline, project, app("slow", more="RUN sleep 321098"))
    wait_for_step(towline, running, "build")
    back = towline.command("rollback", f"{project}/web", timeout=30)
    assert back.returncode == 0, back.stderr
    assert towline.get(host).text == "one"
    assert towline.client.deployments.get_status(running).status is DeploymentStatus.SUPERSEDED


def test_what_has_ended_cannot_be_cancelled(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    deployment = succeeded(towline.deploy_files(project, app("done")))
    refused = towline.command("cancel", deployment.id)
    assert refused.returncode == 5
    assert "already ended" in refused.stderr
    unknown = towline.command("cancel", "dep_nothing")
    assert unknown.returncode == 4
