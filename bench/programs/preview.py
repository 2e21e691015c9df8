"""Measures a burst of webhooks while two builds run, and how long a webhook takes to become a preview that answers."""

import hashlib
import hmac
import http.client
import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from bench.parts.bare import bare_docker
from bench.parts.report import Figure, Result, Run, in_words, percentile, result, run_program
from bench.parts.request import measure_requests
from tests.e2e.parts import start_deployment, wait_for_step
from tests.running import BUSYBOX, RunningTowline, running_towline, wait_for

from towline.contract.base import PageQuery
from towline.contract.hooks import HookCreate, HookDelivery, NewHook
from towline.supervise.installation import get_installation
from towline.supervise.layout import Layout

ACKNOWLEDGED = Figure("webhook_ack_p99_ms", "ms", 50)
ANSWERED = Figure("webhook_to_answer_overhead_s", "s", 1)
LOST = Figure("webhooks_lost", "", 0)
DOUBLED = Figure("webhooks_doubled", "", 0)
FIGURES = (ANSWERED, ACKNOWLEDGED, LOST, DOUBLED)

_ADDRESS = "https://git.invalid/acme/shop.git"
_SENDERS = 4
_BUILDS = ("one", "two")
_HELD_TO_ONE_CORE = {"TOWLINE_BUILD_CPUS": str(1 / len(_BUILDS)), "TOWLINE_BUILD_CONCURRENCY": str(len(_BUILDS))}


def measure(run: Run) -> Sequence[Result]:
    """Requests that become previews, beside bare builds and starts; then the burst."""
    with bare_docker() as docker:
        times = measure_requests(run, docker)
    run.note("; ".join(f"{name} {in_words(taken)}" for name, taken in times.parts.items()))
    bare = [build + start for build, start in zip(times.builds, times.starts, strict=True)]
    overheads = [answered - reference for answered, reference in zip(times.answers, bare, strict=True)]
    reference = f"bare docker build {in_words(times.builds)} + start {in_words(times.starts)}"
    reference = f"{reference}; Towline in all {in_words(times.answers)}"
    return (result(ANSWERED, overheads, reference=reference), *_measure_burst(run))


def _measure_burst(run: Run) -> Sequence[Result]:
    """The burst on its own, then again, with other deliveries, while two builds share one core."""
    count = 200 if run.is_quick else 1000
    with running_towline(**_HELD_TO_ONE_CORE) as towline:
        towline.create_service("shop", source={"type": "git", "config": {"url": _ADDRESS, "branch": "main"}})
        hook = towline.client.hooks.create("shop", HookCreate(source="github", repository=_ADDRESS))
        run.tell(f"{count} deliveries while nothing else runs")
        alone = _send_all(towline, hook, [f"alone-{number}" for number in range(count)])
        for name in _BUILDS:
            _start_build(towline, name)
        run.tell(f"{count} deliveries while {len(_BUILDS)} builds share one core")
        names = [f"burst-{number}" for number in range(count)]
        busy = _send_all(towline, hook, names)
        _send_all(towline, hook, names[: count // 10])
        run.tell("wait until all are worked on")
        seen = Counter(one.ref for one in wait_for(lambda: _list_worked_on(towline, hook), timeout=300, interval=0.5))
    lost = [float(f"refs/heads/{name}" not in seen) for name in names]
    doubled = [float(max(0, seen[f"refs/heads/{name}"] - 1)) for name in names]
    reference = f"the same burst without builds {in_words(alone, unit='ms')}, p99 {percentile(alone, 99):.1f} ms"
    return (
        result(ACKNOWLEDGED, busy, value=percentile(busy, 99), reference=reference),
        result(LOST, lost, value=sum(lost), reference=f"{count} deliveries"),
        result(DOUBLED, doubled, value=sum(doubled), reference=f"{count} deliveries, a tenth of them sent twice"),
    )


def _send_all(towline: RunningTowline, hook: NewHook, names: Sequence[str]) -> list[float]:
    """Milliseconds until each was acknowledged."""
    port = get_installation(Layout(towline.folder)).ports.api
    parts = [names[start::_SENDERS] for start in range(_SENDERS)]
    with ThreadPoolExecutor(_SENDERS) as senders:
        running = [senders.submit(_send, port, hook, part) for part in parts]
        return [milliseconds for sent in running for milliseconds in sent.result()]


def _send(port: int, hook: NewHook, names: Sequence[str]) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    taken: list[float] = []
    for name in names:
        content = {"ref": f"refs/heads/{name}", "after": "1" * 40, "repository": {"clone_url": _ADDRESS}}
        body = json.dumps(content).encode()
        headers = {
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": name,
            "X-Hub-Signature-256": "sha256=" + hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest(),
        }
        began_at = time.perf_counter()
        connection.request("POST", urlsplit(hook.url).path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        taken.append(1000 * (time.perf_counter() - began_at))
        assert answer.status == 202, said
    connection.close()
    return taken


def _start_build(towline: RunningTowline, name: str) -> None:
    """A build that computes until it is stopped; returns once it runs."""
    towline.create_service("busy", name)
    dockerfile = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "while :; do :; done"]\n'
    files = {"Dockerfile": dockerfile.encode(), "busybox!": BUSYBOX.read_bytes(), "name": name.encode()}
    wait_for_step(towline, start_deployment(towline, "busy", files, name), "build")


def _list_worked_on(towline: RunningTowline, hook: NewHook) -> list[HookDelivery] | None:
    """Every delivery, once none is waiting."""
    found: list[HookDelivery] = []
    query = PageQuery(limit=100)
    while True:
        page = towline.client.hooks.list_deliveries("shop", hook.id, query)
        if any(one.status == "queued" for one in page.items):
            return None
        found += page.items
        if page.next_cursor is None:
            return found
        query = PageQuery(limit=100, cursor=page.next_cursor)


if __name__ == "__main__":
    run_program("preview", FIGURES, measure)
