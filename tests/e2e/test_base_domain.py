"""The base domain set while everything runs: apps answer, hosts follow, and no death at any moment breaks anything."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest
from tests.e2e.conftest import QUICK
from tests.e2e.parts import app, start_deployment, succeeded, traffic, wait_for_step
from tests.running import RunningTowline, running_towline, wait_for

from towline.client import TowlineClient
from towline.client.transport import LocalhostTransport
from towline.contract.domains import RouteCreate
from towline.contract.platform import PlatformUpdate
from towline.errors import TowlineError
from towline.supervise.layout import Layout
from towline.supervise.status import Status, find_status

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(300)]
_LONG = 120
_SURVIVORS = ("postgres", "valkey", "traefik")


@pytest.fixture(scope="module")
def movable(base_image: str) -> Iterator[RunningTowline]:
    """A Towline whose base domain is set; it is spoken to at the API's own port."""
    assert base_image
    with running_towline(**QUICK) as running:
        running.bypass_router()
        yield running


def test_everything_follows_and_nothing_fails_meanwhile(movable: RunningTowline) -> None:
    movable.create_service("shop")
    succeeded(movable.deploy_files("shop", app("hello")))
    movable.client.routes.create("shop", "web", RouteCreate(host="www.shop.test"))
    wait_for(lambda: movable.get("www.shop.test").status_code == 200)
    movable.create_service("slow")
    talk = f"echo {secrets.token_hex(8)}; sleep 8"  # by that, no cache has it
    slow = start_deployment(movable, "slow", app("late", more=f'RUN ["/bin/sh", "-c", "{talk}"]'))
    wait_for_step(movable, slow, "build")
    before = _status(movable)
    with traffic(movable, "www.shop.test") as seen:
        moved = movable.client.instance.update_platform(PlatformUpdate(base_domain="one.localhost"))
        assert moved.url == movable.url_of("towline.one.localhost")
        wait_for(lambda: _is_ready_at(movable, "towline.one.localhost"), timeout=_LONG)
        wait_for(lambda: movable.get("web-shop.one.localhost").text == "hello", timeout=_LONG)
    assert (seen.failures, seen.total > 10) == ([], True)
    after = _status(movable)
    assert {name: after.parts[name].process_id for name in _SURVIVORS} == {
        name: before.parts[name].process_id for name in _SURVIVORS
    }
    assert after.parts["server"].process_id != before.parts["server"].process_id
    assert movable.get("web-shop.localhost").status_code == 404
    assert movable.get("127.0.0.1", "/readyz").status_code == 200, "nobody is locked out"
    succeeded(movable.client.wait_for_deployment(slow, timeout=_LONG))
    wait_for(lambda: movable.get("web-slow.one.localhost").text == "late", timeout=_LONG)
    outcome = _up(movable)
    assert (outcome["was_running"], outcome["platform_url"]) == (True, moved.url)
    assert _status(movable).parts["server"].process_id == after.parts["server"].process_id


def test_a_wish_outlives_the_supervisor_and_the_next_start_grants_it(movable: RunningTowline) -> None:
    before, supervisor = _kept_domain(movable), _status(movable).supervisor
    os.kill(supervisor, signal.SIGSTOP)  # killed before it could look
    movable.client.instance.update_platform(PlatformUpdate(base_domain="two.localhost"))
    os.kill(supervisor, signal.SIGKILL)
    assert _kept_domain(movable) == before
    outcome = _up(movable)
    assert (outcome["was_running"], outcome["platform_url"]) == (False, movable.url_of("towline.two.localhost"))
    assert _kept_domain(movable) == "two.localhost"
    assert movable.client.instance.get_platform().base_domain == "two.localhost"


def test_a_killed_api_comes_back_with_what_was_set(movable: RunningTowline) -> None:
    server = _status(movable).parts["server"].process_id
    movable.client.instance.update_platform(PlatformUpdate(base_domain="three.localhost"))
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: _is_ready_at(movable, "towline.three.localhost"), timeout=_LONG)
    wait_for(lambda: _status(movable).is_ready, timeout=_LONG)
    assert _kept_domain(movable) == "three.localhost"


def test_an_old_address_is_answered_until_it_is_retired(movable: RunningTowline) -> None:
    here, old = movable.client.instance.get_platform(), "towline.old.localhost"
    for domain in ("old.localhost", here.base_domain):
        movable.client.instance.update_platform(PlatformUpdate(base_domain=domain))
        wait_for(lambda domain=domain: _has_moved_to(movable, domain), timeout=_LONG)
    assert old in _former(movable)
    assert here.platform_host not in _former(movable)
    with TowlineClient(movable.url_of(old), movable.api_key) as client:
        assert client.instance.get_platform().platform_host == here.platform_host
    assert _open_page(movable, old, "/projects?a=1") == (307, f"{here.url}/projects?a=1")
    assert movable.command("domains", "retire", old, "--yes").returncode == 0
    wait_for(lambda: movable.get(old, "/readyz").status_code == 404)
    assert _open_page(movable, old, "/")[0] == 404
    assert old not in _former(movable)


def _former(towline: RunningTowline) -> list[str]:
    return [former.host for former in towline.client.instance.list_former_hosts().items]


def _open_page(towline: RunningTowline, host: str, path: str) -> tuple[int, str]:
    """The status a browser gets, and where it is sent."""
    with httpx2.Client(transport=LocalhostTransport()) as browser:
        headers = {"Host": host, "Accept": "text/html"}
        answer = browser.get(f"http://127.0.0.1:{towline.http_port}{path}", headers=headers)
    return answer.status_code, answer.headers.get("location", "")


def _status(towline: RunningTowline) -> Status:
    status = find_status(Layout(towline.folder).status_file)
    assert status is not None
    return status


def _kept_domain(towline: RunningTowline) -> str:
    return json.loads((towline.folder / "state.json").read_text())["settings"]["TOWLINE_BASE_DOMAIN"]


def _is_ready_at(towline: RunningTowline, host: str) -> bool:
    """Whether Towline answers at a host, and its API too."""
    try:
        return towline.get(host, "/readyz").status_code == 200 and bool(towline.client.instance.get_platform())
    except TowlineError:
        return False


def _has_moved_to(towline: RunningTowline, domain: str) -> bool:
    """Whether the API that runs now has a base domain; its host may have led to the one before already."""
    try:
        return towline.client.instance.get_platform().base_domain == domain and _status(towline).is_ready
    except TowlineError:
        return False


def _up(towline: RunningTowline) -> dict[str, object]:
    """`towline up` as somebody types it who knows of nothing."""
    finished = subprocess.run(
        [sys.executable, "-m", "towline", "up", "--data", str(towline.folder), "--detach", "--json"],
        env=dict(towline.environment),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return json.loads(finished.stdout.strip().splitlines()[-1])
