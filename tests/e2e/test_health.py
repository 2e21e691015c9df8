"""The monitor notices apps that turn bad, and what was changed by hand comes back by itself."""

import json

import pytest
from tests.e2e.parts import (
    app,
    command_app,
    containers_of,
    docker,
    host_of,
    inspect,
    run_inside,
    succeeded,
    traffic,
)
from tests.running import RunningTowline, wait_for

from towline.values import HealthStatus

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def _health(towline: RunningTowline, project: str) -> HealthStatus:
    return towline.client.services.get_status(project, "web").health


def test_an_app_that_turns_bad_and_recovers_is_told_once_each(towline: RunningTowline, project: str) -> None:
    health = {"kind": "http", "path": "/health.txt"}
    towline.create_service(project, health=health)
    succeeded(towline.deploy_files(project, _with_health()))
    (container,) = containers_of(project)
    room = f"project:{towline.client.projects.get(project).id}"
    events = towline.client.events.follow([room], since=0)
    wait_for(lambda: _health(towline, project) is HealthStatus.HEALTHY)
    run_inside(container, "mv", "/www/health.txt", "/www/away.txt")
    wait_for(lambda: _health(towline, project) is HealthStatus.UNHEALTHY)
    assert "GET /health.txt answered 404" in towline.client.services.get_status(project, "web").error
    run_inside(container, "mv", "/www/away.txt", "/www/health.txt")
    wait_for(lambda: _health(towline, project) is HealthStatus.HEALTHY)
    told: list[str | None] = []
    for event in events:
        if event.type == "service.health":
            told.append(event.data.status)
        if told[-2:] == ["unhealthy", "healthy"]:
            break
    assert told.count("unhealthy") == 1
    listed = towline.command("health", f"{project}/web", "--json", "--limit", "100")
    rows = json.loads(listed.stdout)["items"]
    assert {row["status"] for row in rows} == {"healthy", "unhealthy"}
    assert all(row["response_ms"] is not None for row in rows if row["status"] == "healthy")
    assert containers_of(project) == [container]


def test_one_of_two_bad_replicas_makes_a_service_degraded(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, replicas=2, health={"kind": "http", "path": "/health.txt"})
    succeeded(towline.deploy_files(project, _with_health()))
    run_inside(containers_of(project)[0], "rm", "/www/health.txt")
    wait_for(lambda: _health(towline, project) is HealthStatus.DEGRADED)


@pytest.mark.parametrize("change", [("rm", "--force"), ("stop", "--time", "1"), ("kill",)], ids=lambda part: part[0])
def test_a_container_taken_away_by_hand_comes_back(
    towline: RunningTowline, project: str, change: tuple[str, ...]
) -> None:
    towline.create_service(project)
    host = host_of(succeeded(towline.deploy_files(project, app("page"))))
    (before,) = containers_of(project)
    docker(*change, before)
    wait_for(lambda: towline.get(host).text == "page" and len(containers_of(project)) == 1)
    wait_for(lambda: len(containers_of(project, all_states=True)) == 1)
    assert towline.client.services.get_status(project, "web").running == 1


def test_a_killed_replica_costs_next_to_no_requests(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, replicas=3)
    host = host_of(succeeded(towline.deploy_files(project, app("page"))))
    with traffic(towline, host) as seen:
        docker("kill", containers_of(project)[0])
        wait_for(lambda: len(containers_of(project)) == 3)
        count = seen.total
        wait_for(lambda: seen.total > count + 20)
    assert len(seen.failures) <= 3, seen.failures


def test_a_container_detached_from_its_network_is_noticed(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    host = host_of(succeeded(towline.deploy_files(project, app("page"))))
    (container,) = containers_of(project)
    network = next(iter(inspect(container)["NetworkSettings"]["Networks"]))
    docker("network", "disconnect", "--force", network, container)
    wait_for(lambda: towline.get(host).text == "page", timeout=40)


def test_a_container_nobody_asked_for_is_removed(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, app("page")))
    (real,) = containers_of(project)
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", real))
    copied = [part for name, value in labels.items() for part in ("--label", f"{name}={value}")]
    image = docker("inspect", "--format", "{{.Image}}", real)
    copied += ["--label", "towline.release=rel_nobody", "--label", "towline.instance=ins_nobody"]
    stray = docker("run", "--detach", *copied, image)
    wait_for(lambda: stray not in docker("ps", "--all", "--quiet", "--no-trunc").split())
    assert containers_of(project) == [real]


def test_an_app_that_keeps_crashing_gets_a_verdict_and_recovers_by_a_deployment(
    towline: RunningTowline, project: str
) -> None:
    towline.create_service(project, volumes=[{"name": "state", "path": "/state"}])
    program = "[ -e /state/broken ] && exit 3; exec httpd -f -p 8080 -h /"
    host = host_of(succeeded(towline.deploy_files(project, command_app(program))))
    run_inside(containers_of(project)[0], "touch", "/state/broken")
    docker("kill", containers_of(project)[0])
    error = wait_for(lambda: _crash_loop(towline, project), timeout=60)
    assert "exit code 3" in error
    mended = command_app("rm -f /state/broken; echo ok >/index.html; exec httpd -f -p 8080 -h /")
    succeeded(towline.deploy_files(project, mended))
    assert towline.get(host).text == "ok\n"
    wait_for(lambda: _health(towline, project) is HealthStatus.HEALTHY)


def _crash_loop(towline: RunningTowline, project: str) -> str | None:
    error = towline.client.services.get_status(project, "web").error
    return error if error.startswith("Crash loop") else None


def _with_health() -> dict[str, bytes]:
    return {**app("page"), "www/health.txt": b"fine"}
