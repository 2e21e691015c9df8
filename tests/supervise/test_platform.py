"""The whole platform's supervisor, with Traefik."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from tests.conftest import wait_until
from tests.supervise.conftest import Run

from towline.infra.wishes import wish
from towline.supervise.identity import read_identity
from towline.supervise.installation import get_installation, open_installation
from towline.supervise.layout import Layout
from towline.supervise.ports import find_free_loopback_port
from towline.supervise.status import PartState, find_status

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def start_platform(layout: Layout) -> Iterator[Callable[[], Run]]:
    """Start a supervisor of everything for `layout`, on ports of its own."""
    ports = {"TOWLINE_HTTP_PORT": find_free_loopback_port(), "TOWLINE_HTTPS_PORT": find_free_loopback_port()}
    settings = {name: str(port) for name, port in ports.items()} | {"TOWLINE_PROCESSES": "separate"}
    layout.prepare()
    open_installation(layout, settings)
    arguments = ["internal", "supervise", "--data", str(layout.root), "--leash", str(os.getpid())]
    started: list[Run] = []

    def start() -> Run:
        process = subprocess.Popen([sys.executable, "-m", "towline", *arguments])
        started.append(Run(process, layout))
        return started[-1]

    yield start
    for run in started:
        if run.process.poll() is None:
            run.stop()


def test_a_killed_traefik_is_started_again_and_an_orphaned_one_adopted(start_platform: Callable[[], Run]) -> None:
    run = start_platform()
    wait_until(lambda: _is_serving(run), timeout=60)
    killed = run.process_id("traefik")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: run.has_new_process("traefik", killed), timeout=30)
    orphan = run.process_id("traefik")
    run.kill()
    assert read_identity(orphan) is not None
    following = start_platform()
    wait_until(lambda: _is_serving(following), timeout=60)
    assert following.process_id("traefik") == orphan
    assert following.status.parts["traefik"].adopted


def test_api_and_worker_die_with_a_killed_supervisor(start_platform: Callable[[], Run]) -> None:
    run = start_platform()
    wait_until(run.is_ready, timeout=90)
    doors = [run.process_id("api"), run.process_id("worker")]
    os.kill(doors[1], signal.SIGKILL)
    wait_until(lambda: run.has_new_process("worker", doors[1]), timeout=30)
    doors = [run.process_id("api"), run.process_id("worker")]
    run.kill()
    wait_until(lambda: not any(read_identity(process_id) for process_id in doors), timeout=30)


def test_a_wish_starts_the_api_and_the_worker_again_and_nothing_else(start_platform: Callable[[], Run]) -> None:
    run = start_platform()
    wait_until(run.is_ready, timeout=90)
    before = {name: part.process_id for name, part in run.status.parts.items()}
    wish(run.layout.root, {"TOWLINE_BASE_DOMAIN": "apps.localhost"}, supervisor=run.process.pid)
    wait_until(lambda: all(run.has_new_process(name, before[name]) for name in ("api", "worker")), timeout=90)
    kept = ("postgres", "valkey", "traefik")
    assert {name: run.process_id(name) for name in kept} == {name: before[name] for name in kept}
    assert run.status.parts["api"].restarts == 0, "it did not fail, it was told"
    installation = get_installation(run.layout)
    assert (installation.base_domain, run.status.fingerprint) == ("apps.localhost", installation.fingerprint)


def _is_serving(run: Run) -> bool:
    assert run.process.poll() is None
    status = find_status(run.layout.status_file)
    if status is None or status.supervisor != run.process.pid:
        return False
    return status.parts["traefik"].state is PartState.READY
