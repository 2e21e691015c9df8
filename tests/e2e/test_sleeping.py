"""Sleep and protection with real Docker and Traefik: nobody asks and it stops, somebody asks and it is there again."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.e2e.parts import app, command_app, containers_of, docker, host_of, succeeded
from tests.running import RunningTowline, wait_for

from towline.client.transport import LocalhostTransport
from towline.contract.environments import Environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

# Says how many requests this instance has carried out, and which cookies it was sent.
_COUNT = """\
#!/bin/sh
cat >/dev/null
echo x >>/www/asked
printf 'Content-Type: text/plain\\r\\n\\r\\n%s %s' "$(wc -l </www/asked)" "$HTTP_COOKIE"
"""


def _send(
    towline: RunningTowline, host: str, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> httpx2.Response:
    with httpx2.Client(transport=LocalhostTransport(), timeout=90) as client:
        url = f"http://127.0.0.1:{towline.http_port}{path}"
        content = b"an order" if method == "POST" else None
        return client.request(
            method, url, headers={"Host": f"{host}:{towline.http_port}", **(headers or {})}, content=content
        )


def _environment(towline: RunningTowline, project: str) -> Environment:
    [found] = towline.client.environments.list(project).items
    return found


def _set(towline: RunningTowline, project: str, *options: str) -> None:
    changed = towline.command("environments", "set", "production", "-p", project, *options)
    assert changed.returncode == 0, changed.stderr


def _wait_until_asleep(towline: RunningTowline, project: str) -> None:
    wait_for(lambda: _environment(towline, project).sleep == "asleep", timeout=120)
    wait_for(lambda: not containers_of(project, "web") and not containers_of(project, "jobs"), timeout=60)


def _started_at(project: str, service: str) -> str:
    [container] = containers_of(project, service)
    return docker("inspect", "--format", "{{.State.StartedAt}}", container)


def test_what_nobody_asks_for_sleeps_and_wakes_for_a_page_and_for_an_order(
    towline: RunningTowline, project: str
) -> None:
    towline.create_service(project)
    towline.create_service(project, "jobs", type="worker")
    succeeded(towline.deploy_files(project, command_app("while true; do sleep 1; done"), service="jobs"))
    host = host_of(succeeded(towline.deploy_files(project, {**app("page"), "www/cgi-bin/count!": _COUNT.encode()})))
    towline.client.dependencies.set(project, "web", "jobs", cascade=False)
    assert towline.get(host).text == "page"
    _set(towline, project, "--sleeps-after", "10")

    _wait_until_asleep(towline, project)
    status = towline.client.services.get_status(project, "web")
    assert (status.state, status.health.value, status.error) == ("sleeping", "unknown", "")

    shown = _send(towline, host, "/", headers={"Accept": "text/html"})
    assert (shown.status_code, shown.headers["refresh"]) == (503, "2")
    assert "waking up" in shown.text
    assert project not in shown.text
    answer = wait_for(lambda: _answered(_send(towline, host, "/", headers={"Accept": "text/html"})), timeout=90)
    assert answer.text == "page"
    assert _started_at(project, "jobs") < _started_at(project, "web")

    _wait_until_asleep(towline, project)
    held = _send(towline, host, "/cgi-bin/count", method="POST")
    assert (held.status_code, held.text.split()) == (200, ["1"])
    assert _send(towline, host, "/cgi-bin/count", method="POST").text.split() == ["2"]
    _set(towline, project, "--sleeps-after", "never")


def test_a_protected_environment_is_seen_by_link_and_by_members_alone(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    host = host_of(succeeded(towline.deploy_files(project, {**app("page"), "www/cgi-bin/count!": _COUNT.encode()})))
    _set(towline, project, "--protection", "sign_in")
    sent = wait_for(lambda: _refused(_send(towline, host, "/", headers={"Accept": "text/html"})))
    assert sent.status_code == 303
    assert sent.headers["location"].startswith(f"{towline.api_url}/gates/")
    assert _send(towline, host, "/cgi-bin/count", method="POST").status_code == 401

    _set(towline, project, "--protection", "link")
    [url] = towline.client.environments.create_share_link(project, "production").urls
    opened = wait_for(lambda: _redirected(_send(towline, host, urlsplit(url).path)))
    assert opened.headers["location"] == towline.url_of(host, "/")
    cookie = opened.headers["set-cookie"].partition(";")[0]
    assert _send(towline, host, "/", headers={"Cookie": cookie}).text == "page"
    asked = _send(towline, host, "/cgi-bin/count", method="POST", headers={"Cookie": f"{cookie}; own=1"})
    assert asked.text.split() == ["1", "own=1"]

    towline.client.environments.delete_share_link(project, "production")
    assert _send(towline, host, "/", headers={"Cookie": cookie}).status_code == 401
    _set(towline, project, "--protection", "none")
    wait_for(lambda: _send(towline, host, "/").status_code == 200)


def _answered(response: httpx2.Response) -> httpx2.Response | None:
    return response if response.status_code == 200 else None


def _refused(response: httpx2.Response) -> httpx2.Response | None:
    return response if response.status_code != 200 else None


def _redirected(response: httpx2.Response) -> httpx2.Response | None:
    return response if response.status_code == 303 else None
