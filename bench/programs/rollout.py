"""Counts failed requests and cut streams under load while versions, replicas and containers change."""

import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.parts.bare import BareDocker, bare_docker, written
from bench.parts.killing import Killing, kill_replicas
from bench.parts.loading import PROGRAM as LOAD_PROGRAM
from bench.parts.loading import Counts, CountsDoor, load_on
from bench.parts.python_image import PYTHON, write_python_tree
from bench.parts.report import Figure, Result, Run, in_words, result, run_program
from bench.parts.success import check_success
from tests.running import RunningTowline, running_towline, wait_for

from towline.contract.deployments import DeploymentRollback, DeployRequest

FAILED = Figure("failed_requests", "requests", 0)
INTERNAL = Figure("internal_failed_requests", "requests", 0)
CUT = Figure("cut_streams", "streams", 0)
KILL_FAILED = Figure("replica_kill_failed", "requests", 3)
ROUTED_AWAY = Figure("replica_kill_routed_away_s", "s", 0.3)
FIGURES = (FAILED, INTERNAL, CUT, KILL_FAILED, ROUTED_AWAY)

_HOST = "web-bench.localhost"
_CALLER_HOST = "caller-bench.localhost"
_WEB_PROGRAM = Path(__file__).parent.parent / "parts" / "web_program.py"
_MODULES = (
    "asyncio",
    "base64",
    "concurrent.futures.thread",
    "dataclasses",
    "hashlib",
    "itertools",
    "json",
    "random",
    "urllib.parse",
)
_RATE = 300.0
_STREAMS = 12
_INTERNAL_RATE = 50.0
_INTERNAL_STREAMS = 2


@dataclass
class Scene:
    """A service under load from outside, and one that calls it from inside."""

    towline: RunningTowline
    docker: BareDocker
    base_image: str
    longest_stream: float
    outside: CountsDoor
    inside: CountsDoor
    changes: list[tuple[Counts, Counts]] = field(default_factory=list[tuple[Counts, Counts]])
    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    @contextmanager
    def change(self, kind: str) -> Generator[None]:
        """Count what fails during one change, outside and inside."""
        before = (self.outside.read(), self.inside.read())
        began_at = time.monotonic()
        yield
        self.seconds.setdefault(kind, []).append(time.monotonic() - began_at)
        self.changes.append((self.outside.read().since(before[0]), self.inside.read().since(before[1])))

    @contextmanager
    def last_streams(self) -> Generator[None]:
        """Count what fails until every stream that a change could have cut has ended."""
        with self.change("settling"):
            time.sleep(self.longest_stream + 0.5)
            yield


def measure(run: Run) -> Sequence[Result]:
    """Roll out, roll back and scale under load; then kill replicas."""
    with ExitStack() as stack:
        docker = stack.enter_context(bare_docker())
        base_image = _base_image(docker)
        longest = 1.5 if run.is_quick else 4.0
        bare = _load_bare_container(docker, base_image, longest=longest, seconds=2 if run.is_quick else 15)
        towline = stack.enter_context(running_towline())
        scene = stack.enter_context(_scene(towline, docker, base_image, longest=longest))
        _change_versions_and_replicas(run, scene)
        with scene.last_streams():
            run.tell("last streams")
        killing = kill_replicas(
            run, towline, docker.engine, scene.outside, bring_up=lambda count: _scale(towline, count)
        )
        return _results(run, scene, bare, killing)


def _change_versions_and_replicas(run: Run, scene: Scene) -> None:
    towline = scene.towline
    for number in run.rounds("rollout", quick=5, full=100, by=22):
        upload = towline.upload("bench", _web_tree(scene.base_image, f"version {number + 2}"))
        with scene.change("rollout"):
            _finish(towline, towline.client.services.deploy("bench", "web", DeployRequest(upload=upload)).id)
    for _ in run.rounds("rollback", quick=2, full=20, by=27):
        with scene.change("rollback"):
            back = DeploymentRollback(project="bench", service="web")
            _finish(towline, towline.client.deployments.rollback(back).id)
    for number in run.rounds("scale", quick=2, full=20, by=31):
        with scene.change("scale"):
            _scale(towline, (3, 1, 4, 2)[number % 4])


def _scale(towline: RunningTowline, replicas: int) -> None:
    """Ask for a number of replicas and wait until so many run and get requests."""
    towline.client.services.scale("bench", "web", replicas)
    wait_for(lambda: _has_replicas(towline, replicas) or None, timeout=60)


def _has_replicas(towline: RunningTowline, replicas: int) -> bool:
    instances = towline.client.services.get_status("bench", "web").instances
    return len(instances) == replicas and all(item.is_routed and item.state == "running" for item in instances)


def _results(run: Run, scene: Scene, bare: Counts, killing: Killing) -> Sequence[Result]:
    run.note("; ".join(f"{kind} {in_words(values)}" for kind, values in scene.seconds.items()))
    outside, inside = scene.outside.read(), scene.inside.read()
    for at, kind, reason in [*outside.failures, *inside.failures][:20]:
        run.note(f"failed at {time.strftime('%H:%M:%S', time.gmtime(at))} UTC: {kind}: {reason}")
    reference = f"the same load on one bare container that never changes: {bare.in_words()}"
    return (
        _total(FAILED, [item.failed for item, _ in scene.changes], f"{reference}. Here: {outside.in_words()}"),
        _total(INTERNAL, [item.failed for _, item in scene.changes], f"none. Here: {inside.in_words()}"),
        _total(CUT, [one.cut + two.cut for one, two in scene.changes], f"on the bare container: {bare.cut}"),
        result(
            KILL_FAILED,
            killing.failed,
            value=max(killing.failed),
            reference=f"the worst of {len(killing.failed)} kills, one of three replicas at {_RATE:g} requests/s",
        ),
        result(
            ROUTED_AWAY,
            killing.routed_away,
            reference=f"the engine itself tells of the death after {in_words(killing.engine_knows)}",
        ),
    )


def _total(figure: Figure, samples: Sequence[float], reference: str) -> Result:
    return result(figure, samples, value=sum(samples), reference=reference)


@contextmanager
def _scene(towline: RunningTowline, docker: BareDocker, base_image: str, *, longest: float) -> Generator[Scene]:
    internal_port = towline.environment["TOWLINE_INTERNAL_PORT"]
    towline.create_service("bench", "web")
    towline.create_service("bench", "caller")
    for service, tree in (
        ("web", _web_tree(base_image, "version 1")),
        ("caller", _caller_tree(base_image, internal_port, longest=longest)),
    ):
        deployment = towline.deploy_files("bench", tree, service=service)
        check_success(towline, deployment)
    inside = CountsDoor("127.0.0.1", towline.http_port, _CALLER_HOST)
    host = f"{_HOST}:{towline.http_port}"
    with load_on("127.0.0.1", towline.http_port, host=host, rate=_RATE, streams=_STREAMS, longest=longest) as outside:
        yield Scene(towline, docker, base_image, longest, outside, inside)


def _finish(towline: RunningTowline, deployment_id: str) -> None:
    check_success(towline, towline.client.wait_for_deployment(deployment_id, timeout=120))


def _base_image(docker: BareDocker) -> str:
    with tempfile.TemporaryDirectory(prefix="towline-bench-") as folder:
        archive = Path(folder, "python.tar")
        write_python_tree(archive, _MODULES)
        return docker.load_tree(archive, "python")


def _load_bare_container(docker: BareDocker, base_image: str, *, longest: float, seconds: float) -> Counts:
    with written(_web_tree(base_image, "version 0")) as folder:
        image, _ = docker.build(folder, "web")
    container = docker.start(image)
    try:
        with load_on(container.address, 8080, host=_HOST, rate=_RATE, streams=_STREAMS, longest=longest) as door:
            time.sleep(seconds)
            return door.read()
    finally:
        docker.remove(container)


def _web_tree(base_image: str, version: str) -> dict[str, bytes]:
    return _tree(base_image, _WEB_PROGRAM, version)


def _caller_tree(base_image: str, internal_port: str, *, longest: float) -> dict[str, bytes]:
    """A service that puts its own load on `web`, by the name that is good inside, and answers its counts."""
    target = ("web.internal", internal_port, f"web.internal:{internal_port}")
    return _tree(base_image, LOAD_PROGRAM, *target, str(_INTERNAL_RATE), str(_INTERNAL_STREAMS), str(longest), "8080")


def _tree(base_image: str, program: Path, *arguments: str) -> dict[str, bytes]:
    command = ", ".join(f'"{argument}"' for argument in (PYTHON, f"/app/{program.name}", *arguments))
    dockerfile = f"FROM {base_image}\nCOPY {program.name} /app/\nEXPOSE 8080\nCMD [{command}]\n"
    return {"Dockerfile": dockerfile.encode(), program.name: program.read_bytes()}


if __name__ == "__main__":
    run_program("rollout", FIGURES, measure)
