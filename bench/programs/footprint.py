"""Measures memory and CPU of an idle Towline, and how soon a stopped one is ready again."""

import subprocess
import sys
import time
from collections.abc import Sequence

from bench.parts.answers import wait_for_answer
from bench.parts.processes import cpu_percent, use_by_part, wait_seconds
from bench.parts.report import Figure, Result, Run, in_words, result, run_program
from bench.parts.success import check_success
from tests.ports import free_port
from tests.running import RunningTowline, running_towline, web_app

PSS = Figure("idle_pss_mb", "MB", 200)
CPU = Figure("idle_cpu_percent", "% of a core", 2)
START = Figure("start_to_ready_s", "s", 5)
FIGURES = (PSS, CPU, START)

_WINDOWS = 4
_BARE_APP = """
import sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ready"})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", log_level="error")
"""


def measure(run: Run) -> Sequence[Result]:
    """Deploy one small app, let everything settle, look; then stop and start a few times."""
    with running_towline() as towline:
        towline.create_service("bench")
        check_success(towline, towline.deploy_files("bench", web_app("one small app")))
        run.tell("settling")
        wait_seconds(10 if run.is_quick else 60)
        idle = _watch_idle(run, towline, window=2.5 if run.is_quick else 15)
        starts = [_restart(towline) for _ in run.rounds("start", quick=2, full=5, by=40)]
        bare = [_start_bare_app() for _ in range(3)]
    reference = f"a bare uvicorn app, loaded and answering: {in_words(bare)}"
    return (*idle, result(START, starts, reference=reference))


def _watch_idle(run: Run, towline: RunningTowline, *, window: float) -> Sequence[Result]:
    looks = [use_by_part(towline.folder)]
    seconds: list[float] = []
    for _ in range(_WINDOWS):
        run.tell(f"watching for {window:g} s")
        seconds.append(wait_seconds(window))
        looks.append(use_by_part(towline.folder))
    windows = [cpu_percent(one, two, took) for one, two, took in zip(looks, looks[1:], seconds, strict=False)]
    cpu = cpu_percent(looks[0], looks[-1], sum(seconds))
    memory = {name: use.pss_mb for name, use in looks[-1].items()}
    pss_samples = [sum(use.pss_mb for use in look.values()) for look in looks[1:]]
    return (
        result(PSS, pss_samples, reference=f"Traefik alone {memory['traefik']:.0f} MB; {_by_part(memory)}"),
        result(
            CPU,
            [sum(window.values()) for window in windows],
            value=sum(cpu.values()),
            reference=f"Traefik alone {cpu['traefik']:.2f} %; {_by_part(cpu)}",
        ),
    )


def _by_part(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in sorted(values.items(), key=lambda item: -item[1]))


def _restart(towline: RunningTowline) -> float:
    """Seconds from `towline up`, with everything stopped but its data there, to the first answer of the API."""
    data = str(towline.folder)
    stopped = towline.command("down", "--data", data)
    assert stopped.returncode == 0, stopped.stderr
    command = [sys.executable, "-m", "towline", "up", "--data", data, "--empty", "--detach"]
    began_at = time.monotonic()
    output = subprocess.DEVNULL
    up = subprocess.Popen(command, env=dict(towline.environment), stdout=output, stderr=output)
    host = f"towline.{towline.base_domain}"
    ready_at = wait_for_answer("127.0.0.1", towline.http_port, lambda _: True, host=host, path="/readyz")
    assert up.wait(120) == 0, "towline up failed"
    return ready_at - began_at


def _start_bare_app() -> float:
    port = free_port()
    began_at = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", _BARE_APP, str(port)]) as app:
        try:
            return wait_for_answer("127.0.0.1", port, lambda _: True) - began_at
        finally:
            app.terminate()


if __name__ == "__main__":
    run_program("footprint", FIGURES, measure)
