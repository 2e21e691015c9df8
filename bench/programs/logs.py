"""Measures how soon a line that a build prints is seen by 500 subscribers, and whether all lines are kept."""

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.parts.bare import BareDocker, bare_docker, written
from bench.parts.python_image import PYTHON, write_python_tree
from bench.parts.report import Figure, Result, Run, percentile, result, run_program
from bench.parts.success import check_success
from tests.running import RunningTowline, running_towline

from towline.contract.deployments import DeployRequest
from towline.contract.logs import LogQuery

LATENCY = Figure("line_latency_p99_ms", "ms", 250)
LOST = Figure("lines_lost", "lines", 0)
FIGURES = (LATENCY, LOST)

_ROOT = Path(__file__).parent.parent.parent
PROGRAM = _ROOT / "bench" / "parts" / "printing_program.py"
_SUBSCRIBERS = 500
_BULK_SUBSCRIBERS = 5
_LINES_PER_SECOND = 50
_BULK_PER_SECOND = 10_000
"""A line has 8 bytes: BuildKit clips a step that prints more than 100 KiB a second, or 1 MiB in all."""
_BULK_STEPS = 5
_DELAY = 5.0
"""Before the first line, so that all subscribers are in the room by then."""
_TIMED = re.compile(rb"T(\d{19})N\d+E")
_SHORT = re.compile(r"L(\d{6})\b")


@dataclass(frozen=True, slots=True)
class Seen:
    """What subscribers saw of one build: lines missing in all, what went wrong, seconds from written to seen."""

    missing: int
    trouble: str
    latencies: Sequence[float]


def measure(run: Run) -> Sequence[Result]:
    """A build that prints evenly for many subscribers, then one that prints as fast as BuildKit lets through."""
    count, bulk = (300, 10_000) if run.is_quick else (2000, 100_000)
    with bare_docker() as docker, running_towline() as towline:
        base_image = load_base_image(docker)
        towline.create_service("bench", "web", type="worker", stop_grace_seconds=0)
        run.tell("such a build without Towline")
        bare = _follow_bare(docker, even_tree(base_image, count // 4, delay=0))
        run.tell(f"{count} lines for {_SUBSCRIBERS} subscribers")
        seen, deployment_id = build_and_listen(
            towline, even_tree(base_image, count, delay=_DELAY), subscribers=_SUBSCRIBERS, expected=count
        )
        kept = _missing_kept(towline, deployment_id, pattern=r"N(\d+)E", expected=count)
        run.tell(f"{bulk} lines, as fast as they come")
        fast = _tree(base_image, _parts(bulk), per_second=_BULK_PER_SECOND, delay=0.2, form="short")
        bulk_seen, bulk_id = build_and_listen(towline, fast, subscribers=_BULK_SUBSCRIBERS, expected=bulk)
        bulk_kept = _missing_kept(towline, bulk_id, pattern=_SHORT.pattern, expected=bulk)
    run.note(f"of {_SUBSCRIBERS} subscribers: {seen.trouble}; of {_BULK_SUBSCRIBERS}: {bulk_seen.trouble}")
    return _results(seen, bare, [kept, seen.missing, bulk_kept, bulk_seen.missing], bulk=bulk)


def _results(seen: Seen, bare: Sequence[float], lost: list[int], *, bulk: int) -> Sequence[Result]:
    latencies = [1000 * seconds for seconds in seen.latencies] or [float("inf")]
    reference = [1000 * seconds for seconds in bare]
    shares = ", ".join(f"p{part} {percentile(latencies, part):.0f}" for part in (50, 90, 99))
    names = ("kept", f"seen by {_SUBSCRIBERS}", f"of {bulk} kept", f"of {bulk} seen by {_BULK_SUBSCRIBERS}")
    return (
        result(
            LATENCY,
            latencies,
            value=percentile(latencies, 99),
            reference=f"one reader of a bare docker build: p50 {percentile(reference, 50):.0f}, "
            f"p99 {percentile(reference, 99):.0f} ms; Towline {shares} ms, {_LINES_PER_SECOND} lines/s",
        ),
        result(
            LOST,
            lost,
            value=sum(lost),
            reference=", ".join(f"{name}: {count} lost" for name, count in zip(names, lost, strict=True)),
        ),
    )


def build_and_listen(
    towline: RunningTowline,
    tree: dict[str, bytes],
    *,
    subscribers: int,
    expected: int,
    on_open: Callable[[], None] = lambda: None,
) -> tuple[Seen, str]:
    """What subscribers see of a build that prints so many lines, and its deployment; `on_open` is called in between."""
    upload = towline.upload("bench", tree)
    with _listening(towline, subscribers=subscribers, expected=expected) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        deployment = towline.client.services.deploy("bench", "web", DeployRequest(upload=upload))
        process.stdin.write(f"{deployment.id}\n")
        process.stdin.flush()
        final = towline.client.wait_for_deployment(deployment.id, timeout=300)
        check_success(towline, final)
        time.sleep(2)
        on_open()
        process.stdin.close()
        found = json.loads(process.stdout.readline())
    refusals = found["refusals"]
    trouble = f"{found['dropped']} dropped, {found['silent']} saw nothing, {len(refusals)} refused {refusals[:1]}"
    trouble += f", all in the room after {found['joined_after']:.1f} s"
    return Seen(found["missing"] + found["repeated"], trouble, found["latencies"]), final.id


@contextmanager
def _listening(towline: RunningTowline, *, subscribers: int, expected: int) -> Generator["subprocess.Popen[str]"]:
    host = f"towline.{towline.base_domain}:{towline.http_port}"
    arguments = [str(towline.http_port), host, str(subscribers), str(expected)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.parts.subscribers", *arguments],
        cwd=_ROOT,
        env={**os.environ, "TOWLINE_API_KEY": towline.api_key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the subscribers did not connect"
        yield process
    finally:
        process.kill()
        process.wait(30)


def _missing_kept(towline: RunningTowline, deployment_id: str, *, pattern: str, expected: int) -> int:
    """Lines that are not kept, and those that are kept twice."""
    numbers: list[int] = []
    since = 1
    while True:
        query = LogQuery(since=str(since), limit=10_000)
        page = towline.client.deployments.get_logs(deployment_id, query)
        found = [re.fullmatch(rf".*{pattern}.*", entry.message) for entry in page.items if entry.stream != "system"]
        numbers += [int(match[1]) for match in found if match]
        if not page.items:
            return expected - len(set(numbers)) + len(numbers) - len(set(numbers))
        since = page.next_sequence


def _follow_bare(docker: BareDocker, tree: dict[str, bytes]) -> list[float]:
    """Seconds from written to read of each line, for one reader of docker's own output."""
    latencies: list[float] = []
    with written(tree) as folder, docker.follow_build(folder) as process:
        assert process.stderr is not None
        for line in process.stderr:
            latencies += [(time.time_ns() - int(written_at)) / 1e9 for written_at in _TIMED.findall(line)]
    return latencies


def _parts(count: int) -> list[tuple[int, int]]:
    size = count // _BULK_STEPS
    return [(1 + size * number, size) for number in range(_BULK_STEPS)]


def even_tree(base_image: str, count: int, *, delay: float) -> dict[str, bytes]:
    """A tree whose build prints so many lines evenly, each with the time it was written."""
    return _tree(base_image, [(1, count)], per_second=_LINES_PER_SECOND, delay=delay, form="timed")


def _tree(
    base_image: str, parts: Sequence[tuple[int, int]], *, per_second: float, delay: float, form: str
) -> dict[str, bytes]:
    """A tree whose build prints so many lines from a first number on, one step for each part."""
    lines = [f"FROM {base_image}", f"COPY {PROGRAM.name} /", f"ENV RUN={secrets.token_hex(8)}"]
    for first, count in parts:
        arguments = [PYTHON, f"/{PROGRAM.name}", str(first), str(count), str(per_second), str(delay), form]
        lines.append(f"RUN {json.dumps(arguments)}")
    lines.append(f'CMD ["{PYTHON}", "-c", "import time; time.sleep(1000)"]')
    return {"Dockerfile": "\n".join([*lines, ""]).encode(), PROGRAM.name: PROGRAM.read_bytes()}


def load_base_image(docker: BareDocker) -> str:
    """A base image with Python, loaded; its name."""
    with tempfile.TemporaryDirectory(prefix="towline-bench-") as folder:
        archive = Path(folder, "python.tar")
        write_python_tree(archive, ("signal",))
        return docker.load_tree(archive, "python")


if __name__ == "__main__":
    run_program("logs", FIGURES, measure)
