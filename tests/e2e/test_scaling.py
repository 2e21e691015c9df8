"""Scaling, rolling out in batches, restarting, stopping: requests go on meanwhile."""

import pytest
from tests.e2e.parts import app, containers_of, host_of, inspect, start_deployment, succeeded, traffic
from tests.running import RunningTowline, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def _routed(towline: RunningTowline, project: str) -> int:
    status = towline.client.services.get_status(project, "web")
    return sum(instance.is_routed for instance in status.instances)


def test_scaling_up_and_down_loses_no_request(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    host = host_of(succeeded(towline.deploy_files(project, app("page"))))
    with traffic(towline, host) as seen:
        for replicas in (3, 1):
            scaled = towline.command("scale", str(replicas), f"{project}/web")
            assert scaled.returncode == 0, scaled.stderr
            wait_for(lambda wanted=replicas: _routed(towline, project) == wanted == len(containers_of(project)))
        count = seen.total
        wait_for(lambda: seen.total > count + 20)
    assert seen.failures == []


def test_requests_are_spread_over_the_replicas(towline: RunningTowline, project: str) -> None:
    towline.create_service(
        project, replicas=2, start_command=["sh", "-c", "hostname >/www/index.html; httpd -f -p 8080 -h /www"]
    )
    host = host_of(succeeded(towline.deploy_files(project, app("page"))))
    names = {container[:12] for container in containers_of(project)}
    assert len(names) == 2
    assert {towline.get(host).text.strip() for _ in range(10)} == names


def test_a_rollout_starts_no_more_extra_instances_than_allowed(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, replicas=3, max_surge=1)
    host = host_of(succeeded(towline.deploy_files(project, app("one"))))
    deployment = start_deployment(towline, project, app("two"))
    most = 0
    with traffic(towline, host, threads=1) as seen:
        while not (state := towline.client.deployments.get_status(deployment)).status.is_final:
            most = max(most, len(containers_of(project)))
    succeeded(state)
    assert seen.failures == []
    assert most <= 4
    assert [step.note for step in state.steps if step.step == "start"] == ["1 of 3"] * 3
    assert len(containers_of(project)) == 3


def test_a_restart_replaces_instances_without_a_failed_request(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    host = host_of(succeeded(towline.deploy_files(project, app("page"))))
    before = containers_of(project)
    with traffic(towline, host) as seen:
        restarted = towline.command("restart", f"{project}/web")
        assert restarted.returncode == 0, restarted.stderr
        wait_for(lambda: len(after := containers_of(project)) == 1 and after != before)
    assert seen.failures == []


def test_a_stopped_service_answers_503_until_it_is_started(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    host = host_of(succeeded(towline.deploy_files(project, app("page"))))
    stopped = towline.command("stop", f"{project}/web")
    assert stopped.returncode == 0, stopped.stderr
    wait_for(lambda: not containers_of(project, all_states=True))
    assert towline.get(host).status_code == 503
    assert towline.client.services.get_status(project, "web").state == "stopped"
    started = towline.command("start", f"{project}/web")
    assert started.returncode == 0, started.stderr
    wait_for(lambda: towline.get(host).text == "page")


def test_deploying_a_stopped_service_starts_it(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    succeeded(towline.deploy_files(project, app("one")))
    towline.client.services.stop(project, "web")
    wait_for(lambda: not containers_of(project, all_states=True))
    deployment = succeeded(towline.deploy_files(project, app("two")))
    assert towline.get(host_of(deployment)).text == "two"
    assert towline.client.services.get_status(project, "web").state == "running"


def test_scaled_to_nothing_a_service_answers_503(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    host = host_of(succeeded(towline.deploy_files(project, app("page"))))
    towline.client.services.scale(project, "web", 0)
    wait_for(lambda: towline.get(host).status_code == 503)
    towline.client.services.scale(project, "web", 1)
    wait_for(lambda: towline.get(host).text == "page")


def test_instances_run_with_limits_and_without_privileges(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, memory_bytes=32 * 1024 * 1024, cpus=0.5)
    succeeded(towline.deploy_files(project, app("page")))
    host_config = inspect(containers_of(project)[0])["HostConfig"]
    assert (host_config["Memory"], host_config["NanoCpus"]) == (32 * 1024 * 1024, 500_000_000)
    assert host_config["SecurityOpt"] == ["no-new-privileges:true"]
    assert host_config["PidsLimit"] == 512
    assert not host_config["Privileged"]
    assert not host_config["Binds"]
    assert not host_config["PortBindings"]
