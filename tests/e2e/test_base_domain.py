"""The base domain set while everything runs: apps answer, hosts follow, and no death at any moment breaks anything."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.e2e.conftest import QUICK
from tests.e2e.parts import app, start_deployment, succeeded, traffic, wait_for_step
from tests.running import RunningTowline, running_towline, wait_for

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
    assert (movable.get("towline.localhost").status_code, movable.get("web-shop.localhost").status_code) == (404, 404)
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
