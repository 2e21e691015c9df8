"""Measures size and speed of the dashboard's pages, how soon a long log opens, and what many readers cost."""

import asyncio
import json
import secrets
import time
from collections.abc import Sequence

from bench.parts.bare import bare_docker
from bench.parts.browsing import Person, chromium
from bench.parts.filling import FIRST_PROJECT, FIRST_SERVICE, Size, fill
from bench.parts.following import LINES_PER_SECOND, follow_bare, follow_service
from bench.parts.processes import cpu_in_words, use_by_part
from bench.parts.python_image import PYTHON
from bench.parts.report import Figure, Result, Run, in_words, percentile, result, run_program
from bench.parts.success import check_success
from bench.parts.visiting import Visitor
from bench.programs.logs import PROGRAM, build_and_listen, even_tree, load_base_image
from playwright.sync_api import Browser
from tests.running import RunningTowline, running_towline, web_app

from towline.client.connection import Call
from towline.contract.members import InvitationAccept, InvitationAccepted, InvitationCreate, NewInvitation
from towline.supervise.installation import get_installation
from towline.supervise.layout import Layout

FIRST_LOAD = Figure("first_load_kb", "kB", 150)
NEXT_LOAD = Figure("next_load_kb", "kB", 30)
LIST = Figure("list_p95_ms", "ms", 50)
LOG_OPEN = Figure("log_open_s", "s", 1)
LOST = Figure("log_follow_lines_lost", "lines", 0)
LONGEST_TASK = Figure("log_follow_longest_task_ms", "ms", 100)
LATENCY = Figure("event_latency_p99_ms", "ms", 250)
MEMORY = Figure("readers_memory_mb", "MB", 50)
FIGURES = (FIRST_LOAD, NEXT_LOAD, LIST, LOG_OPEN, LOST, LONGEST_TASK, LATENCY, MEMORY)

_READERS = 500
_PROJECT = f"/projects/{FIRST_PROJECT}"
_SERVICE = f"{_PROJECT}/services/{FIRST_SERVICE}"
_LISTS = ("/", _PROJECT, _SERVICE, f"{_SERVICE}/deployments")
_PAGES = (
    *_LISTS,
    *(f"{_PROJECT}/{tab}" for tab in ("members", "audit", "settings")),
    *(f"{_SERVICE}/{tab}" for tab in ("deploy", "log", "variables", "domains", "settings")),
    *("/account/keys", "/account/sessions", "/instance"),
)
_PASSWORD = secrets.token_urlsafe(24)
_EMAIL = "bench@example.com"


def measure(run: Run) -> Sequence[Result]:
    """A full Towline for the pages and logs; then many readers of one deployment's log while it builds."""
    size = Size(50, 1000, 20_000 if run.is_quick else 1_000_000, 1_000_000, is_even=1)
    settings = {"TOWLINE_RUN_LOG_LINES_PER_SECOND": str(2 * LINES_PER_SECOND)}
    with bare_docker() as docker, running_towline(**settings) as towline:
        base_image = load_base_image(docker)
        towline.create_service("template")
        check_success(towline, towline.deploy_files("template", web_app("template")))
        run.tell(
            f"filling: {size.services} services, {size.deployments} deployments, a log of {size.lines // 10} lines"
        )
        asyncio.run(fill(towline, size))
        _add_visitor(towline)
        visitor = _visitor_of(towline)
        pages = (*_weigh(run, visitor), _time_lists(run, visitor))
        person = Person(towline.api_url, _EMAIL, _PASSWORD)
        with chromium() as browser:
            logs = (_open_log(run, browser, person), *_follow_log(run, browser, person, towline, base_image))
        return (*pages, *logs, *_read_by_many(run, towline, base_image))


def _weigh(run: Run, visitor: Visitor) -> Sequence[Result]:
    run.tell("the size of every page")
    sizes = {path: visitor.weigh(path) for path in _PAGES}
    whole, alone = ({path: size[part] / 1000 for path, size in sizes.items()} for part in (0, 1))
    largest, heaviest = max(whole, key=lambda path: whole[path]), max(alone, key=lambda path: alone[path])
    return (
        result(FIRST_LOAD, list(whole.values()), value=whole[largest], reference=f"the largest: {largest}"),
        result(NEXT_LOAD, list(alone.values()), value=alone[heaviest], reference=f"the largest: {heaviest}"),
    )


def _time_lists(run: Run, visitor: Visitor) -> Result:
    rounds = 20 if run.is_quick else 100
    run.tell(f"{len(_LISTS)} lists, {rounds} times each")
    times: dict[str, list[float]] = {path: [] for path in _LISTS}
    bare: list[float] = []
    for _ in range(rounds):
        bare.append(1000 * visitor.get("/healthz")[2])
        for path, taken in times.items():
            taken.append(1000 * visitor.get(path)[2])
    worst = {path: percentile(taken, 95) for path, taken in times.items()}
    for path, taken in times.items():
        run.note(f"{path}: {in_words(taken, unit='ms')}, p95 {worst[path]:.1f} ms")
    samples = [taken for many in times.values() for taken in many]
    return result(
        LIST, samples, value=max(worst.values()), reference=f"an answer without content: {in_words(bare, unit='ms')}"
    )


def _open_log(run: Run, browser: Browser, person: Person) -> Result:
    """From the call of the page to the last line shown, in a new browser context each time."""
    rounds = list(run.rounds("opening the log", quick=3, full=10, by=60))
    opened = [_open_once(browser, person) for _ in rounds]
    logs, bare = [one[0] for one in opened], [one[1] for one in opened]
    return result(LOG_OPEN, logs, reference=f"the sign-in page in the same browser: {in_words(bare)}")


def _open_once(browser: Browser, person: Person) -> tuple[float, float]:
    context = browser.new_context()
    page = context.new_page()
    began_at = time.monotonic()
    page.goto(f"{person.url}/sign-in")
    bare = time.monotonic() - began_at
    person.sign_in(page)
    began_at = time.monotonic()
    page.goto(f"{person.url}{_SERVICE}/log", wait_until="commit")
    page.wait_for_function("() => document.querySelector('.log li') && document.querySelector('.log').scrollTop > 0")
    seconds = time.monotonic() - began_at
    context.close()
    return seconds, bare


def _follow_log(
    run: Run, browser: Browser, person: Person, towline: RunningTowline, base_image: str
) -> Sequence[Result]:
    """A service prints evenly while its log is followed; then a bare page gets as much."""
    count = 4_000 if run.is_quick else 100_000
    run.tell(f"following {count} lines")
    towline.create_service("bench", "follow", type="worker", stop_grace_seconds=0)
    command = [PYTHON, f"/{PROGRAM.name}", "1", str(count), str(LINES_PER_SECOND), "signal", "timed"]
    dockerfile = f"FROM {base_image}\nCOPY {PROGRAM.name} /\nCMD {json.dumps(command)}\n"
    tree = {"Dockerfile": dockerfile.encode(), PROGRAM.name: PROGRAM.read_bytes()}
    check_success(towline, towline.deploy_files("bench", tree, service="follow"))
    before = use_by_part(towline.folder)
    seen = follow_service(browser, person, towline, "/projects/bench/services/follow/log", count=count)
    after = use_by_part(towline.folder)
    bare = follow_bare(browser, count=count)
    run.note(f"following: {seen.in_words()}; the bare page: {bare.in_words()}")
    run.note(f"CPU time for {count} lines: {cpu_in_words(before, after)}")
    return (
        result(LOST, [seen.lost], reference=f"a bare page that adds as many: {bare.lost} lost"),
        result(LONGEST_TASK, [seen.longest_ms], reference=f"that bare page: {bare.longest_ms:.0f} ms"),
    )


def _read_by_many(run: Run, towline: RunningTowline, base_image: str) -> Sequence[Result]:
    count = 200 if run.is_quick else 2000
    towline.create_service("bench", "web", type="worker", stop_grace_seconds=0)
    looks = [_memory_of_api(towline)]
    run.tell(f"{count} lines for {_READERS} readers")
    tree = even_tree(base_image, count, delay=3.0)
    before = use_by_part(towline.folder)
    seen, _ = build_and_listen(
        towline,
        tree,
        subscribers=_READERS,
        expected=count,
        on_open=lambda: looks.append(_memory_of_api(towline)),
    )
    spent = cpu_in_words(before, use_by_part(towline.folder))
    run.note(f"CPU time for {count} lines and {_READERS} readers: {spent}")
    looks.append(_memory_of_api(towline))
    latencies = [1000 * seconds for seconds in seen.latencies] or [float("inf")]
    reference = f"{looks[0]:.0f} MB before, {seen.trouble}"
    return (
        result(LATENCY, latencies, value=percentile(latencies, 99), reference=f"{_READERS} readers of one build"),
        result(MEMORY, [max(looks) - looks[0]], reference=reference),
    )


def _memory_of_api(towline: RunningTowline) -> float:
    return use_by_part(towline.folder)["server"].pss_mb


def _add_visitor(towline: RunningTowline) -> None:
    connection = towline.client.connection
    wanted = InvitationCreate.model_validate({"email": _EMAIL, "is_administrator": True})
    made = connection.send(Call("invitations.create", body=wanted), NewInvitation)
    assert made.link is not None
    accepted = InvitationAccept(token=made.link.rpartition("/")[2], name="Bench", password=_PASSWORD)
    connection.send(Call("invitations.accept", body=accepted), InvitationAccepted)


def _visitor_of(towline: RunningTowline) -> Visitor:
    port = get_installation(Layout(towline.folder)).ports.api
    visitor = Visitor(port, f"towline.{towline.base_domain}:{towline.http_port}")
    visitor.sign_in(_EMAIL, _PASSWORD)
    return visitor


if __name__ == "__main__":
    run_program("pages", FIGURES, measure)
