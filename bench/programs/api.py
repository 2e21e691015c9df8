"""Measures requests per second of the API, and how its list pages grow with what is stored."""

import asyncio
import http.client
import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from bench.parts.answers import wait_for_answer
from bench.parts.checking import ACCESS_CHECK, measure_access_check
from bench.parts.filling import FIRST_PROJECT, FIRST_SERVICE, Size, fill
from bench.parts.report import Figure, Result, Run, in_words, result, run_program
from bench.parts.success import check_success
from tests.ports import free_port
from tests.running import RunningTowline, running_towline, web_app

from towline.supervise.installation import get_installation
from towline.supervise.layout import Layout

RPS = Figure("list_rps_32", "requests/s", 800, better="higher")
P50 = Figure("list_p50_ms_1", "ms", 1.5)
GROWTH = Figure("growth_ratio", "times", 2)
FIGURES = (RPS, P50, ACCESS_CHECK, GROWTH)

_ROOT = Path(__file__).parent.parent.parent
_PROJECTS, _SERVICES = 20, 5
_PAGES = {"projects": "/api/v1/projects", "services": "/api/v1/projects/list-01/services"}
_PLACE = f"/api/v1/projects/{FIRST_PROJECT}/services/{FIRST_SERVICE}"
_GROWING = (
    "/api/v1/projects?limit=10",
    f"/api/v1/projects/{FIRST_PROJECT}/services?limit=10",
    f"/api/v1/projects/{FIRST_PROJECT}/environments?limit=10",
    "/api/v1/deployments?limit=10",
    "/api/v1/deployments?limit=10&status=failed",
    f"/api/v1/deployments?limit=10&project={FIRST_PROJECT}",
    f"/api/v1/deployments?limit=10&project={FIRST_PROJECT}&service={FIRST_SERVICE}",
    f"{_PLACE}/status",
    f"{_PLACE}/instances",
    f"{_PLACE}/routes",
    f"{_PLACE}/releases?limit=10",
    f"{_PLACE}/health?limit=10",
    f"{_PLACE}/logs?tail=100",
    f"{_PLACE}/logs?since=50&limit=100",
    "/api/v1/deployments/dep_00000000000000000000000050/logs",
    f"/api/v1/audit?limit=10&project={FIRST_PROJECT}",
)
_BARE_APP = """
import sys, uvicorn
body = open(sys.argv[2], "rb").read()
headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", loop="uvloop", http="httptools",
            access_log=False, log_level="error")
"""


@dataclass(frozen=True, slots=True)
class Door:
    """The API process itself, on its loopback port."""

    port: int
    host: str
    key: str

    def get(self, path: str) -> bytes:
        """The body of an answer, which must be 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            return self.get_on(connection, path)
        finally:
            connection.close()

    def get_on(self, connection: http.client.HTTPConnection, path: str) -> bytes:
        """The same on a connection that is kept."""
        connection.request("GET", path, headers={"Host": self.host, "Authorization": f"Bearer {self.key}"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{path} was answered with {answer.status}: {body[:300]!r}"
        return body


def measure(run: Run) -> Sequence[Result]:
    """A small Towline for the speed; then that one and a full one side by side for the growth."""
    with running_towline() as small:
        _deploy_template(small)
        _make_projects(small)
        speed = (*_measure_speed(run, small), measure_access_check(run, small))
        with running_towline() as full:
            _deploy_template(full)
            return (*speed, _measure_growth(run, small, full))


def _measure_speed(run: Run, towline: RunningTowline) -> Sequence[Result]:
    seconds = 1.5 if run.is_quick else 8.0
    door = _door_of(towline)
    many: dict[str, list[float]] = {}
    single: dict[str, list[float]] = {}
    for name, path in _PAGES.items():
        run.tell(f"the list of {name}")
        many[name] = _ask(door, path, connections=32, seconds=seconds)
        single[name] = _ask(door, path, connections=1, seconds=seconds)
    with _bare_app(door.get(_PAGES["projects"])) as bare:
        run.tell("a bare app")
        bare_many = _ask(bare, "/", connections=32, seconds=seconds)
        bare_single = _ask(bare, "/", connections=1, seconds=seconds)
    rates = {name: len(latencies) / seconds for name, latencies in many.items()}
    medians = {name: 1000 * statistics.median(latencies) for name, latencies in single.items()}
    return (
        result(
            RPS,
            list(rates.values()),
            value=min(rates.values()),
            reference=f"a bare uvicorn app with a fixed body: {len(bare_many) / seconds:.0f}/s; {_shown(rates)}",
        ),
        result(
            P50,
            list(medians.values()),
            value=max(medians.values()),
            reference=f"the bare app: {1000 * statistics.median(bare_single):.2f} ms; {_shown(medians)}",
        ),
    )


def _measure_growth(run: Run, small: RunningTowline, full: RunningTowline) -> Result:
    size = Size(100, 1000, 20_000, 200_000) if run.is_quick else Size(100, 1000, 1_000_000, 10_000_000)
    for towline, wanted in ((small, size.hundredth()), (full, size)):
        run.tell(f"filling: {wanted.services} services, {wanted.deployments} deployments, {wanted.lines} lines")
        began_at = time.monotonic()
        asyncio.run(fill(towline, wanted))
        run.tell(f"filled in {time.monotonic() - began_at:.0f} s")
    times = [_compare(path, _door_of(small), _door_of(full), rounds=15 if run.is_quick else 60) for path in _GROWING]
    for path, (one, other) in zip(_GROWING, times, strict=True):
        run.note(f"{other / one:5.2f} times: {1000 * one:6.2f} -> {1000 * other:6.2f} ms  {path}")
    ratios = [other / one for one, other in times]
    worst = _GROWING[ratios.index(max(ratios))]
    few = size.hundredth().deployments
    reference = f"the same pages at {few} deployments: {in_words(ratios, unit='times')}; worst {worst}"
    return result(GROWTH, ratios, value=max(ratios), reference=reference)


def _compare(path: str, small: Door, full: Door, *, rounds: int) -> tuple[float, float]:
    """Median seconds of a page at both sizes, asked in turns so that a busy machine is as busy for both."""
    doors = [(door, http.client.HTTPConnection("127.0.0.1", door.port, timeout=60)) for door in (small, full)]
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 2):
        for (door, connection), taken in zip(doors, seconds, strict=True):
            began_at = time.perf_counter()
            door.get_on(connection, path)
            taken.append(time.perf_counter() - began_at)
    for _, connection in doors:
        connection.close()
    return statistics.median(seconds[0][2:]), statistics.median(seconds[1][2:])


def _deploy_template(towline: RunningTowline) -> None:
    """One real deployment, of which all others are copies."""
    towline.create_service("template")
    check_success(towline, towline.deploy_files("template", web_app("template")))


def _make_projects(towline: RunningTowline) -> None:
    for project in range(1, _PROJECTS + 1):
        for service in range(1, _SERVICES + 1):
            towline.create_service(f"list-{project:02}", f"service-{service}")


def _door_of(towline: RunningTowline) -> Door:
    port = get_installation(Layout(towline.folder)).ports.api
    return Door(port, f"towline.{towline.base_domain}", towline.api_key)


def _ask(door: Door, path: str, *, connections: int, seconds: float) -> list[float]:
    arguments = [str(door.port), path, str(connections), str(seconds), door.host]
    asked = subprocess.run(
        [sys.executable, "-m", "bench.parts.asking", *arguments],
        cwd=_ROOT,
        env={**os.environ, "TOWLINE_API_KEY": door.key},
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    found: Any = json.loads(asked.stdout)
    return found


@contextmanager
def _bare_app(body: bytes) -> Generator[Door]:
    """The least a Python server can do: a fixed answer of the same size."""
    port = free_port()
    with NamedTemporaryFile(prefix="towline-bench-") as file:
        file.write(body)
        file.flush()
        with subprocess.Popen([sys.executable, "-c", _BARE_APP, str(port), file.name]) as app:
            try:
                wait_for_answer("127.0.0.1", port, lambda _: True)
                yield Door(port, "localhost", secrets.token_hex(16))
            finally:
                app.terminate()


def _shown(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


if __name__ == "__main__":
    run_program("api", FIGURES, measure)
