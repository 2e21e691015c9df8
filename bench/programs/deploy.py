"""Measures deploy, rollback and redeploy, each beside the same build and start by bare Docker calls."""

import secrets
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.parts.answers import wait_for_answer
from bench.parts.bare import BareDocker, bare_docker, written
from bench.parts.report import Figure, Result, Run, in_words, result, run_program
from bench.parts.success import check_success
from tests.running import RunningTowline, running_towline, web_app

from towline.contract.deployments import Deployment, DeploymentRollback, DeployRequest

DEPLOY = Figure("deploy_overhead_s", "s", 0.4)
ROLLBACK = Figure("rollback_overhead_s", "s", 0.3)
UNCHANGED = Figure("unchanged_tree_deploy_s", "s", None)
FIGURES = (DEPLOY, ROLLBACK, UNCHANGED)

_HOST = "web-bench.localhost"
_WHO = "/cgi-bin/who"
_WHO_PROGRAM = b"#!/bin/busybox sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n/bin/busybox hostname\n"


@dataclass
class Times:
    """Seconds, one entry per round."""

    deploys: list[float] = field(default_factory=list[float])
    rollbacks: list[float] = field(default_factory=list[float])
    redeploys: list[float] = field(default_factory=list[float])
    bare_builds: list[float] = field(default_factory=list[float])
    bare_starts: list[float] = field(default_factory=list[float])
    later_starts: list[float] = field(default_factory=list[float])
    steps: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add_steps(self, deployment: Deployment) -> None:
        """Keep how long each step of a deployment took."""
        for step in deployment.steps:
            self.steps.setdefault(step.step.value, []).append(step.seconds or 0)


def measure(run: Run) -> Sequence[Result]:
    """Deploy, roll back and redeploy, with a bare round in between each time."""
    times = Times()
    with bare_docker() as docker, running_towline() as towline:
        towline.create_service("bench")
        _deploy(towline, _tree())  # the first one also makes the network and fills caches
        image = _build_and_start(docker, Times())
        for _ in run.rounds("deploy", quick=5, full=20, by=25):
            _deploy_round(towline, docker, times)
        for _ in run.rounds("rollback", quick=3, full=20, by=35):
            _rollback_round(towline, times)
            times.later_starts.append(_start(docker, image))
        tree = _tree()
        _deploy(towline, tree)
        for _ in run.rounds("redeploy", quick=3, full=10, by=42):
            _redeploy_round(towline, tree, times)
    medians = ", ".join(f"{name} {statistics.median(values):.3f}" for name, values in times.steps.items())
    run.note(f"deploy in all {in_words(times.deploys)}, of this by Towline's own clock: {medians}")
    return _results(times)


def _results(times: Times) -> Sequence[Result]:
    bare = [build + start for build, start in zip(times.bare_builds, times.bare_starts, strict=True)]
    start = statistics.median(times.later_starts)
    return (
        result(
            DEPLOY,
            [seconds - reference for seconds, reference in zip(times.deploys, bare, strict=True)],
            reference=f"bare docker build {in_words(times.bare_builds)} + start {in_words(times.bare_starts)}; "
            f"Towline in all {in_words(times.deploys)}",
        ),
        result(
            ROLLBACK,
            [seconds - reference for seconds, reference in zip(times.rollbacks, times.later_starts, strict=True)],
            reference=f"bare container start {in_words(times.later_starts)}; "
            f"Towline in all {in_words(times.rollbacks)}",
        ),
        result(
            UNCHANGED,
            times.redeploys,
            target=start + (DEPLOY.target or 0),
            reference=f"target: bare container start {start:.3g} s + {DEPLOY.target} s",
        ),
    )


def _deploy_round(towline: RunningTowline, docker: BareDocker, times: Times) -> None:
    seconds, deployment = _deploy(towline, _tree())
    times.deploys.append(seconds)
    times.add_steps(deployment)
    _build_and_start(docker, times)


def _rollback_round(towline: RunningTowline, times: Times) -> None:
    """To the release before or after the one that serves, in turns, so that both are always kept."""
    serving = towline.get(_HOST).content
    releases = sorted(item.number for item in towline.client.releases.list("bench", "web").items)[-2:]
    current = towline.client.services.get_status("bench", "web").release
    target = next(number for number in releases if number != current)

    def trigger() -> Deployment:
        back = DeploymentRollback(project="bench", service="web", release=target)
        return towline.client.deployments.rollback(back)

    seconds, _ = _time(towline, trigger, lambda body: body != serving)
    times.rollbacks.append(seconds)


def _redeploy_round(towline: RunningTowline, tree: Mapping[str, bytes], times: Times) -> None:
    """The tree that serves once more: nothing is built, and a container of another name answers."""
    upload = towline.upload("bench", tree)
    serving = towline.get(_HOST, _WHO).content

    def trigger() -> Deployment:
        return towline.client.services.deploy("bench", "web", DeployRequest(upload=upload))

    seconds, deployment = _time(towline, trigger, lambda body: body != serving, path=_WHO)
    assert deployment.is_cached, "an unchanged tree was built again"
    times.redeploys.append(seconds)


def _deploy(towline: RunningTowline, tree: Mapping[str, bytes]) -> tuple[float, Deployment]:
    """Seconds from the call to the first answer of the new version, and the deployment once it is final."""
    upload = towline.upload("bench", tree)
    text = tree["www/index.html"]

    def trigger() -> Deployment:
        return towline.client.services.deploy("bench", "web", DeployRequest(upload=upload))

    return _time(towline, trigger, lambda body: body == text)


def _time(
    towline: RunningTowline, trigger: Callable[[], Deployment], is_new: Callable[[bytes], bool], *, path: str = "/"
) -> tuple[float, Deployment]:
    began_at = time.monotonic()
    deployment = trigger()
    answered_at = wait_for_answer("127.0.0.1", towline.http_port, is_new, host=_HOST, path=path)
    final = towline.client.wait_for_deployment(deployment.id, timeout=60)
    check_success(towline, final)
    return answered_at - began_at, final


def _build_and_start(docker: BareDocker, times: Times) -> str:
    with written(_tree()) as folder:
        image, seconds = docker.build(folder, "web")
    times.bare_builds.append(seconds)
    times.bare_starts.append(_start(docker, image))
    return image


def _start(docker: BareDocker, image: str) -> float:
    container = docker.start(image)
    docker.remove(container)
    return container.seconds


def _tree() -> dict[str, bytes]:
    """A trivial app nobody has built before."""
    return {**web_app(secrets.token_hex(16)), "www/cgi-bin/who!": _WHO_PROGRAM}


if __name__ == "__main__":
    run_program("deploy", FIGURES, measure)
