"""Services without a port, commands before the switch, and other start commands."""

import pytest
from tests.e2e.parts import app, command_app, containers_of, docker, failed, host_of, inspect, log_of, succeeded
from tests.running import RunningTowline, wait_for

from towline.contract.services import ServiceUpdate
from towline.values import Step

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_a_worker_needs_no_port_and_has_no_address(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, "jobs", type="worker")
    tree = command_app("echo working; exec sleep 1000")
    deployment = succeeded(towline.deploy_files(project, tree, service="jobs"))
    assert deployment.urls == []
    again = succeeded(towline.deploy_files(project, command_app("exec sleep 1001"), service="jobs"))
    assert again.release == 2
    wait_for(lambda: len(containers_of(project, "jobs", all_states=True)) == 1)
    variables = inspect(containers_of(project, "jobs")[0])["Config"]["Env"]
    assert not [line for line in variables if line.startswith("PORT=")]


def test_a_worker_that_ends_at_once_does_not_go_live(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, "jobs", type="worker")
    deployment = towline.deploy_files(project, command_app("echo no queue given; exit 5"), service="jobs")
    assert "exit code 5" in failed(deployment, "instance-exited")


def test_a_worker_is_checked_by_a_command(towline: RunningTowline, project: str) -> None:
    health = {"kind": "command", "command": ["test", "-f", "/ready"], "timeout_seconds": 3}
    towline.create_service(project, "jobs", type="worker", health=health)
    tree = command_app("exec sleep 1000")
    failed(towline.deploy_files(project, tree, service="jobs"), "unhealthy")
    tree = command_app("sleep 0.5; touch /ready; exec sleep 1000")
    succeeded(towline.deploy_files(project, tree, service="jobs"))


def test_the_images_own_healthcheck_decides(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    check = 'HEALTHCHECK --interval=200ms --retries=1 CMD ["test", "-f", "/www/healthy"]'
    failed(towline.deploy_files(project, app("new", more=check)), "unhealthy")
    succeeded(towline.deploy_files(project, app("new", more=check, www__healthy="")))


def test_a_release_command_runs_in_the_new_image_before_the_switch(towline: RunningTowline, project: str) -> None:
    command = ["sh", "-c", "echo migrating with $(cat /www/index.html)"]
    towline.create_service(project, release_command=command)
    deployment = succeeded(towline.deploy_files(project, app("one")))
    assert "migrating with one" in log_of(towline, deployment.id)
    steps = [step.step for step in deployment.steps]
    assert steps.index(Step.RELEASE_COMMAND) < steps.index(Step.SWITCH)
    failing = ServiceUpdate(release_command=["sh", "-c", "echo table is locked >&2; exit 9"])
    towline.client.services.update(project, "web", failing)
    second = towline.deploy_files(project, app("two"))
    assert "exit code 9" in failed(second, "unhealthy")
    assert "table is locked" in log_of(towline, second.id)
    assert towline.get(host_of(deployment)).text == "one"
    assert docker("ps", "--all", "--quiet", "--filter", f"label=towline.deployment={second.id}") == ""


def test_a_start_command_replaces_the_images_own(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    command = "sh -c 'echo \"started by $0\" >/www/index.html; exec httpd -f -p 8080 -h /www' 'the $HOME of `me`'"
    updated = towline.command("services", "update", f"{project}/web", "--start-command", command)
    assert updated.returncode == 0, updated.stderr
    deployment = succeeded(towline.deploy_files(project, app("page")))
    assert towline.get(host_of(deployment)).text.strip() == "started by the $HOME of `me`"
