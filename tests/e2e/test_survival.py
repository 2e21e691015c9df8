"""Towline survives kill -9 of any of its parts in any step of a deployment, and nothing shows it afterwards."""

import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import httpx2
import pytest
from tests.e2e.survival_gates import open_gates
from tests.e2e.survival_machine import machine
from tests.e2e.survival_picture import Picture, take_picture
from tests.e2e.survival_scene import STEPS, Outcome, Rows, Scene
from tests.running import running_towline, wait_for
from tests.sources.servers import serve_git

from towline.client.transport import LocalhostTransport
from towline.values import DeploymentStatus, Step

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(180)]
_SETTINGS = {
    "TOWLINE_LEASE": "PT3S",
    "TOWLINE_SWEEP_INTERVAL": "PT1S",
    "TOWLINE_HEALTH_INTERVAL": "PT1S",
    "TOWLINE_STOP_GRACE": "PT1S",
}
_SETTLE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not answered as it should be."""

    began_at: datetime
    ended_at: datetime
    reason: str


@dataclass
class Requests:
    """Requests to one service: how many, which texts came one after the other, and what failed."""

    total: int = 0
    texts: list[str] = field(default_factory=list[str])
    failures: list[Failure] = field(default_factory=list[Failure])

    def failures_outside(self, first: datetime, last: datetime) -> list[Failure]:
        """Those that did not even touch a span of time."""
        return [failure for failure in self.failures if failure.ended_at < first or failure.began_at > last]


@dataclass
class Stage:
    """The scene, how it looks when nothing was disturbed, and a line for each kill and step."""

    scene: Scene
    undisturbed: Picture
    lines: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="class")
def stage(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """One Towline on a machine of its own for all kills of a class."""
    root: Path = tmp_path_factory.mktemp("served")
    settings = {**_SETTINGS, "TOWLINE_PROCESSES": getattr(request.node.cls, "processes", "")}
    with ExitStack() as stack:
        made = stack.enter_context(machine())
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("DOCKER_HOST", made.docker_host)
        git, gated_git = stack.enter_context(serve_git(root)), stack.enter_context(serve_git(root))
        gates = stack.enter_context(open_gates())
        with running_towline(**settings) as towline, closing(Rows(towline.folder)) as rows:
            scene = Scene(made, towline, git, gated_git, gates, rows)
            scene.prepare()
            stage = Stage(scene, _settled(scene))
            yield stage
    _show(stage.lines, request.config)


class TestApiAndWorkerInOneProcess:
    """As `towline up` runs them."""

    processes: ClassVar[str] = "one"

    @pytest.mark.parametrize("part", ["server", "postgres", "valkey", "traefik", "dockerd", "everything"])
    def test_deployments_in_every_step_survive_a_kill(self, stage: Stage, part: str) -> None:
        _survive(stage, part)


class TestApiAndWorkerInTwoProcesses:
    """As they can be run."""

    processes: ClassVar[str] = "separate"

    @pytest.mark.parametrize("part", ["worker", "api"])
    def test_deployments_in_every_step_survive_a_kill(self, stage: Stage, part: str) -> None:
        _survive(stage, part)


def _survive(stage: Stage, part: str) -> None:
    """Kill the part; then all is as if nothing had been, but for requests while Traefik or everything was away."""
    scene = stage.scene
    before = {step: scene.text_of(step) for step in STEPS}
    scene.commit()
    with _requests(scene) as requests:
        outcomes = scene.kill(part)
        wait_for(lambda: scene.is_whole() or None, timeout=_SETTLE_SECONDS)
        whole_at = datetime.now(UTC)
        wait_for(lambda: all(seen.texts[-1:] == [scene.text_of(step)] for step, seen in requests.items()) or None)
    began = time.monotonic()
    picture = _settled(scene, like=stage.undisturbed)
    settled = time.monotonic() - began
    stage.lines += [_line(part, step, outcomes[step], requests[step], settled=settled) for step in STEPS]

    assert {step: outcome.step_at_kill for step, outcome in outcomes.items()} == {step: step for step in STEPS}
    for step, outcome in outcomes.items():
        assert outcome.status is DeploymentStatus.SUCCESS, f"{step}: {outcome.error}"
        assert requests[step].texts == [before[step], scene.text_of(step)]
        is_away = part in {"traefik", "everything"}
        absence = (scene.killed_at, whole_at) if is_away else (whole_at, scene.killed_at)
        assert requests[step].failures_outside(*absence) == []
    assert picture == stage.undisturbed


@contextmanager
def _requests(scene: Scene) -> Generator[Mapping[Step, Requests]]:
    """Send requests to every service while the block runs, alternately on kept and on new connections."""
    seen, is_over = {step: Requests() for step in STEPS}, threading.Event()

    def send() -> None:
        with httpx2.Client(transport=LocalhostTransport(), timeout=15) as client:
            while not is_over.wait(0.01):
                for connection in ("keep-alive", "close"):
                    for step, requests in seen.items():
                        _send_one(client, scene, step, requests, connection=connection)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()


def _send_one(client: httpx2.Client, scene: Scene, step: Step, requests: Requests, *, connection: str) -> None:
    requests.total += 1
    began_at, reason = datetime.now(UTC), ""
    try:
        headers = {"Host": scene.host_of(step), "Connection": connection}
        response = client.get(f"http://127.0.0.1:{scene.towline.http_port}/", headers=headers)
        reason = "" if response.status_code == 200 else f"{response.status_code} {response.text[:100]}"
        if not reason and requests.texts[-1:] != [response.text]:
            requests.texts.append(response.text)
    except httpx2.HTTPError as error:
        reason = repr(error)
    if reason:
        requests.failures.append(Failure(began_at, datetime.now(UTC), reason))


def _settled(scene: Scene, *, like: Picture | None = None) -> Picture:
    """The picture once it is like the other (or has not changed for a while), or what it is when that never happens."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    last = take_picture(scene.machine, scene.towline.folder)
    while time.monotonic() < deadline:
        time.sleep(0.2 if like is not None else 1.5)
        picture = take_picture(scene.machine, scene.towline.folder)
        if picture == (last if like is None else like):
            return picture
        last = picture
    return last


def _line(part: str, step: Step, outcome: Outcome, requests: Requests, *, settled: float) -> str:
    end = f"{outcome.status} (attempt {outcome.attempt})"
    failed = f"{len(requests.failures)} of {requests.total}"
    return f"{part:10} {step:8} {outcome.step_at_kill:8} {end:21} {outcome.seconds:6.1f} {settled:8.1f}   {failed}"


def _show(lines: list[str], config: pytest.Config) -> None:
    reporter, capture = (config.pluginmanager.get_plugin(name) for name in ("terminalreporter", "capturemanager"))
    assert reporter is not None
    assert capture is not None
    head = "killed     aimed at in step  end                   seconds  settled   failed requests"
    with capture.global_and_fixture_disabled():
        for line in ("", head, *lines):
            reporter.write_line(line)
