"""A stack of three services that is deployed as one: users see all of it new, or all of it old."""

import json
import os
import secrets
import signal
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext

import pytest
from tests.e2e.conftest import QUICK
from tests.e2e.parts import BASE, traffic
from tests.running import RunningTowline, running_towline, wait_for

from towline.contract.groups import Group, GroupDeploy, GroupService
from towline.errors import DependencyCycle
from towline.values import DeploymentStatus

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
NAMES = ("web", "api", "store")
CALLS = {"web": "api", "api": "store"}


def make_stack(towline: RunningTowline, project: str) -> None:
    """`web` needs `api`, which needs `store`."""
    for name in NAMES:
        towline.create_service(project, name)
    towline.client.dependencies.set(project, "web", "api")
    towline.client.dependencies.set(project, "api", "store")


def tree(
    towline: RunningTowline, text: str, *, calls: str = "", wait: float = 0, ends: bool = False
) -> dict[str, bytes]:
    """Answers `text`, and on `/seen` what `calls` answered before it began to listen; or `ends` instead."""
    port = towline.environment["TOWLINE_INTERNAL_PORT"]
    call = f"wget -q -O /www/seen http://{calls}.internal:{port}/ || exit 4; " if calls else ""
    last = "exit 3" if ends else "exec httpd -f -p 8080 -h /www"
    command = ["sh", "-c", f"{call}sleep {wait}; {last}"]
    dockerfile = f"FROM {BASE}\nCOPY www /www\nCMD {json.dumps(command)}\n"
    return {"Dockerfile": dockerfile.encode(), "www/index.html": text.encode()}


def start(towline: RunningTowline, project: str, trees: Mapping[str, Mapping[str, bytes]]) -> Group:
    """Ask for a group of trees by service."""
    services = [GroupService(service=name, upload=towline.upload(project, files)) for name, files in trees.items()]
    return towline.client.groups.deploy(project, GroupDeploy(services=services))


def version(
    towline: RunningTowline, number: int, *, wait: float = 0, calls: Mapping[str, str] = CALLS
) -> dict[str, dict[str, bytes]]:
    """All three in one version; each that needs another asks it before it is healthy, and `web` waits a while then."""
    return {
        name: tree(towline, f"{name} {number}", calls=calls.get(name, ""), wait=wait if name == "web" else 0)
        for name in NAMES
    }


def end(towline: RunningTowline, group: Group) -> Group:
    return towline.client.groups.wait(group.project, group.id, timeout=90)


def succeeded(group: Group) -> Group:
    assert group.status is DeploymentStatus.SUCCESS, (group.status, group.error, group.members)
    return group


def host(project: str, name: str) -> str:
    return f"{name}-{project}.localhost"


def served(towline: RunningTowline, project: str) -> list[str]:
    return [towline.get(host(project, name)).text for name in NAMES]


def all_of(number: int) -> list[str]:
    return [f"{name} {number}" for name in NAMES]


def test_a_stack_switches_together_or_not_at_all_and_goes_back_together(towline: RunningTowline, project: str) -> None:
    make_stack(towline, project)
    succeeded(end(towline, start(towline, project, version(towline, 1))))
    assert served(towline, project) == all_of(1)

    with traffic(towline, host(project, "web")) as web, traffic(towline, host(project, "api")) as api:
        bad = {**version(towline, 2), "api": tree(towline, "api 2", calls="store", ends=True)}
        failed = end(towline, start(towline, project, bad))
        assert (failed.status, failed.error and failed.error.service) == (DeploymentStatus.FAILED, "api")
        assert served(towline, project) == all_of(1)
        assert set(web.answers) == {"web 1"}

        succeeded(end(towline, start(towline, project, version(towline, 3))))
        assert served(towline, project) == all_of(3)
        # What each asked the other before anything had switched: the candidate answered, not what served.
        assert towline.get(host(project, "web"), "/seen").text == "api 3"
        assert towline.get(host(project, "api"), "/seen").text == "store 3"

        back = towline.command("group", "rollback", "--project", project, "--json")
        assert back.returncode == 0, back.stderr
        assert served(towline, project) == all_of(1)
    assert (web.failures, api.failures) == ([], [])
    assert set(web.answers) == {"web 1", "web 3"}


def test_what_a_service_needs_comes_first_and_circles_are_refused(towline: RunningTowline, project: str) -> None:
    make_stack(towline, project)
    with pytest.raises(DependencyCycle, match="store → web → api → store"):
        towline.client.dependencies.set(project, "store", "web")
    shown = towline.command("services", "depend", "--project", project)
    assert "web → api" in shown.stdout
    assert "Order: store | api | web" in shown.stdout
    group = start(towline, project, {"store": tree(towline, "store 1")})
    succeeded(end(towline, group))
    listed = towline.command("group", "status", "--project", project)
    assert group.id in listed.stdout


@pytest.fixture(scope="module")
def mortal(base_image: str) -> Iterator[RunningTowline]:
    """A Towline whose worker is killed again and again."""
    del base_image
    settings = {**QUICK, "TOWLINE_PROCESSES": "separate", "TOWLINE_LEASE": "PT3S", "TOWLINE_DRAIN": "PT1.5S"}
    with running_towline(**settings) as running:
        running.bypass_router()
        yield running


@pytest.mark.parametrize("moment", ["build", "start", "health", "switch", "retire"])
def test_a_killed_worker_leaves_all_new_or_all_old(mortal: RunningTowline, moment: str) -> None:
    project = f"p{secrets.token_hex(4)}"
    make_stack(mortal, project)
    succeeded(end(mortal, start(mortal, project, version(mortal, 1))))
    with traffic(mortal, host(project, "web")) as seen:
        # A router that stands still answers nobody, so nobody asks then.
        calls = {} if moment == "switch" else CALLS
        group = start(mortal, project, version(mortal, 2, wait=1.5, calls=calls))
        with stopped_before_the_switch(mortal, group) if moment == "switch" else nullcontext():
            wait_for(lambda: has_come(mortal, group, moment) or None, timeout=60, interval=0.01)
            os.kill(process_of(mortal, "worker"), signal.SIGKILL)
        ended = end(mortal, group)
        found = served(mortal, project)
    assert ended.status is DeploymentStatus.SUCCESS, (ended.status, ended.error)
    assert found == all_of(2)
    assert seen.failures == [] or moment == "switch"  # nobody can be served by a router that is stopped for long
    assert set(seen.answers) == {"web 1", "web 2"}
    mortal.client.projects.delete(project)


@contextmanager
def stopped_before_the_switch(towline: RunningTowline, group: Group) -> Generator[None]:
    """Let Traefik stand still from the last member's start on, so that the switch is decided and not confirmed."""
    wait_for(lambda: has_come(towline, group, "health") or None, timeout=60, interval=0.01)
    traefik = process_of(towline, "traefik")
    os.kill(traefik, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(traefik, signal.SIGCONT)


def has_come(towline: RunningTowline, group: Group, moment: str) -> bool:
    """Whether the group is where the worker shall die."""
    row = towline.client.groups.get_status(group.project, group.id)
    assert not row.status.is_final, (row.status, row.error)
    if moment == "build":
        return any(member.is_built for member in row.members)
    if moment == "health":
        return any(member.service == "web" and member.step == "health" for member in row.members)
    return row.switched_at is not None if moment == "switch" else row.step == moment


def process_of(towline: RunningTowline, part: str) -> int:
    """The process id of a part."""
    parts = json.loads((towline.folder / "run" / "status.json").read_text())["parts"]
    return int(parts[part]["process_id"])
