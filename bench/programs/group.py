"""Measures how long chains and stars of services take to switch together, beside their bare critical path."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench.parts.answers import wait_for_answer
from bench.parts.bare import BareDocker, Started, bare_docker, written
from bench.parts.report import Figure, Result, Run, in_words, result, run_program
from tests.e2e.parts import traffic
from tests.running import RunningTowline, running_towline, web_app

from towline.contract.groups import GroupDeploy, GroupService
from towline.values import DeploymentStatus

CHAIN = Figure("group_ratio_chain_10", "x", 1.5)
STAR = Figure("group_ratio_star_50", "x", 1.5)
FAILED = Figure("group_failed_requests", "", 0)
FIGURES = (CHAIN, STAR, FAILED)

_WHO = "/cgi-bin/who"
_WHO_PROGRAM = b"#!/bin/busybox sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n/bin/busybox hostname\n"
Graph = Mapping[str, Sequence[str]]


@dataclass
class Times:
    """Seconds of one shape, one entry per round, and what users saw meanwhile."""

    groups: list[float] = field(default_factory=list[float])
    bare: list[float] = field(default_factory=list[float])
    failed: int = 0
    sent: int = 0

    @property
    def ratios(self) -> list[float]:
        """Group against bare, round by round."""
        return [group / bare for group, bare in zip(self.groups, self.bare, strict=True)]


def measure(run: Run) -> Sequence[Result]:
    """Deploy each shape again and again, with a bare round in between each time."""
    times: dict[str, Times] = {}
    with bare_docker() as docker:
        image = _build(docker)
        with running_towline() as towline:
            for name, graph in _shapes(run).items():
                times[name] = _measure_shape(run, towline, docker, name=name, graph=graph, image=image)
    for name, found in times.items():
        run.note(f"{name}: group {in_words(found.groups)}, bare critical path {in_words(found.bare)}")
    return _results(times)


def _shapes(run: Run) -> dict[str, Graph]:
    wanted = {"chain-10": _chain(10), "star-50": _star(50)}
    return wanted if run.is_quick else {**wanted, "star-10": _star(10), "chain-50": _chain(50)}


def _chain(size: int) -> Graph:
    return {f"s{number}": [f"s{number - 1}"] if number else [] for number in range(size)}


def _star(size: int) -> Graph:
    return {f"s{number}": ["s0"] if number else [] for number in range(size)}


def _results(times: Mapping[str, Times]) -> Sequence[Result]:
    failed = [float(found.failed) for found in times.values()]
    sent = sum(found.sent for found in times.values())
    return (
        *(
            result(
                figure,
                times[name].ratios,
                reference=f"bare critical path {in_words(times[name].bare)}; group {in_words(times[name].groups)}",
            )
            for figure, name in ((CHAIN, "chain-10"), (STAR, "star-50"))
        ),
        result(FAILED, failed, value=sum(failed), reference=f"{sent} requests to a service of the group meanwhile"),
    )


def _measure_shape(
    run: Run, towline: RunningTowline, docker: BareDocker, *, name: str, graph: Graph, image: str
) -> Times:
    run.tell(f"{name}: make the services")
    for service, needs in graph.items():
        towline.create_service(name, service, port=8080, source={"type": "custom", "config": {"image": image}})
        for need in needs:
            towline.client.dependencies.set(name, service, need)
    _deploy(towline, name, graph, image)
    times = Times()
    host = f"s0-{name}.localhost"
    with traffic(towline, host, threads=1) as seen:
        for _ in run.rounds(name, quick=2, full=5, by=50):
            times.groups.append(_deploy(towline, name, graph, image))
            times.bare.append(_start_bare(docker, graph, image))
    times.failed, times.sent = len(seen.failures), sum(seen.answers.values()) + len(seen.failures)
    towline.client.projects.delete(name)
    return times


def _deploy(towline: RunningTowline, project: str, graph: Graph, image: str) -> float:
    """Seconds from the call to the first answer of a new instance; returns once the group is final."""
    host = f"{list(graph)[-1]}-{project}.localhost"
    serving = towline.get(host, _WHO).content
    request = GroupDeploy(services=[GroupService(service=name, image=image) for name in graph])
    began_at = time.monotonic()
    group = towline.client.groups.deploy(project, request)
    answered_at = wait_for_answer("127.0.0.1", towline.http_port, _other_than(serving), host=host, path=_WHO)
    ended = towline.client.groups.wait(project, group.id, timeout=120)
    assert ended.status is DeploymentStatus.SUCCESS, (ended.status, ended.error)
    return answered_at - began_at


def _other_than(serving: bytes) -> Callable[[bytes], bool]:
    return lambda body: body != serving


def _start_bare(docker: BareDocker, graph: Graph, image: str) -> float:
    """Seconds to start and probe the same containers in the same order, side by side where they are independent."""
    started: list[Started] = []
    began_at = time.monotonic()
    with ThreadPoolExecutor(len(graph)) as threads:
        done: set[str] = set()
        while len(done) < len(graph):
            level = [name for name, needs in graph.items() if name not in done and done.issuperset(needs)]
            started += threads.map(docker.start, [image] * len(level))
            done.update(level)
        seconds = time.monotonic() - began_at
        list(threads.map(docker.remove, started))
    return seconds


def _build(docker: BareDocker) -> str:
    """A built image, named as of a registry that refuses at once: bare calls ask none for something newer either."""
    tree = {**web_app(secrets.token_hex(8)), "www/cgi-bin/who!": _WHO_PROGRAM}
    with written(tree) as folder:
        image, _ = docker.build(folder, "web")
    repository, tag = "127.0.0.1:1/towline-bench/web", secrets.token_hex(8)
    docker.engine.ask("POST", f"/images/{image}/tag?repo={repository}&tag={tag}")
    return f"{repository}:{tag}"


if __name__ == "__main__":
    run_program("group", FIGURES, measure)
