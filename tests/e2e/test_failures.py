"""A version that cannot go live says why, and the old one keeps serving."""

from pathlib import Path

import pytest
from tests.e2e.parts import (
    app,
    command_app,
    containers_of,
    docker,
    failed,
    host_of,
    log_of,
    start_deployment,
    succeeded,
    wait_for_step,
    write_tree,
)
from tests.running import RunningTowline, wait_for

from towline.contract.deployments import Deployment, DeployRequest
from towline.contract.services import ServiceUpdate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
MEBIBYTE = 1024 * 1024


@pytest.fixture
def host(towline: RunningTowline, project: str) -> str:
    """The host of a service that serves its first version."""
    towline.create_service(project)
    return host_of(succeeded(towline.deploy_files(project, app("old"))))


@pytest.fixture(autouse=True)
def old_version_keeps_serving(towline: RunningTowline, project: str, request: pytest.FixtureRequest) -> object:
    """Whatever the test tries to deploy, the first version answers afterwards, alone."""
    if "host" not in request.fixturenames:
        yield
        return
    host = request.getfixturevalue("host")
    old = containers_of(project)
    yield
    assert towline.get(host).text == "old"
    assert containers_of(project, all_states=True) == old


def test_a_failing_build_shows_its_last_lines(towline: RunningTowline, project: str, host: str, tmp_path: Path) -> None:
    folder = write_tree(tmp_path, app("new", more='RUN echo "cannot find left-pad" >&2; exit 7'))
    deployed = towline.command("deploy", str(folder), "-p", project, "-s", "web")
    assert deployed.returncode == 8
    assert "cannot find left-pad" in deployed.stdout + deployed.stderr
    error, hint = deployed.stderr[deployed.stderr.index("Error: ") :].splitlines()[:2]
    assert "exit code 7" in error
    assert hint.startswith("Try: ")


def test_a_dockerfile_that_cannot_be_read_is_a_failed_build(towline: RunningTowline, project: str, host: str) -> None:
    text = failed(towline.deploy_files(project, {"Dockerfile": b"FRUM scratch\n"}), "build-failed")
    assert "FRUM" in text


def test_a_tree_that_is_nothing_known_says_what_to_add(towline: RunningTowline, project: str, host: str) -> None:
    text = failed(towline.deploy_files(project, {"notes.txt": b"hello\n"}), "build-failed")
    assert "Dockerfile" in text


def test_a_base_image_that_does_not_exist_is_named(towline: RunningTowline, project: str, host: str) -> None:
    tree = {"Dockerfile": b"FROM registry.invalid/nobody/nothing:1\n"}
    deployment = towline.deploy_files(project, tree)
    assert "registry.invalid/nobody/nothing:1" in failed(deployment, deployment.error.code if deployment.error else "")


def test_a_build_that_eats_too_much_memory_fails_alone(towline: RunningTowline, project: str) -> None:
    """The shared Towline gives builds 256 MiB."""
    towline.create_service(project)
    tree = app("new", more="RUN head -c 600000000 /dev/zero | tail")
    assert "memory" in failed(towline.deploy_files(project, tree), "out-of-memory")


def test_an_unhealthy_version_names_what_answered(towline: RunningTowline, project: str, host: str) -> None:
    health = {"kind": "http", "path": "/healthz", "timeout_seconds": 2}
    towline.client.services.update(project, "web", ServiceUpdate.model_validate({"health": health}))
    text = failed(towline.deploy_files(project, app("new")), "unhealthy")
    assert "GET /healthz answered 404" in text
    assert "2 s" in text


def test_a_version_that_listens_nowhere_says_so(towline: RunningTowline, project: str, host: str) -> None:
    health = {"kind": "http", "timeout_seconds": 2}
    towline.client.services.update(project, "web", ServiceUpdate.model_validate({"health": health}))
    deployment = towline.deploy_files(project, command_app("echo waiting for nothing; sleep 1000"))
    text = failed(deployment, "unhealthy")
    assert "8080" in text
    assert "waiting for nothing" in log_of(towline, deployment.id)


def test_a_wrong_port_is_named_and_adopting_it_works(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, port=3000)
    text = failed(towline.deploy_files(project, app("found")), "wrong-port")
    assert "8080" in text
    assert "3000" in text
    updated = towline.command("services", "update", f"{project}/web", "--set", "port=null")
    assert updated.returncode == 0, updated.stderr
    deployment = succeeded(towline.deploy_files(project, app("found")))
    assert towline.get(host_of(deployment)).text == "found"


def test_a_port_that_was_not_set_is_found(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    tree = {**app("elsewhere"), **command_app("httpd -f -p 4567 -h /www", more="COPY www /www")}
    deployment = succeeded(towline.deploy_files(project, tree))
    assert "Found the app listening on port 4567." in log_of(towline, deployment.id)
    assert towline.get(host_of(deployment)).text == "elsewhere"


def test_a_crash_at_start_tells_exit_code_and_last_output(towline: RunningTowline, project: str, host: str) -> None:
    deployment = towline.deploy_files(project, command_app("echo no DATABASE_URL given >&2; exit 3"))
    assert "exit code 3" in failed(deployment, "instance-exited")
    assert "no DATABASE_URL given" in log_of(towline, deployment.id)


def test_a_program_that_does_not_exist_is_named(towline: RunningTowline, project: str, host: str) -> None:
    tree = {"Dockerfile": app("x")["Dockerfile"] + b'CMD ["/bin/no-such-program"]\n', "www/index.html": b"x"}
    deployment = towline.deploy_files(project, tree)
    assert "was not found in the image" in failed(deployment, "instance-exited")
    assert "/bin/no-such-program" in log_of(towline, deployment.id)


def test_running_out_of_memory_at_start_is_said(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, memory_bytes=16 * MEBIBYTE)
    eater = 'text=0123456789abcdef; while :; do text="$text$text"; done'
    deployment = towline.deploy_files(project, command_app(eater))
    assert "memory" in failed(deployment, "out-of-memory")


def test_a_missing_image_is_named(towline: RunningTowline, project: str, host: str) -> None:
    deployment = towline.client.services.deploy(
        project, "web", DeployRequest(image="registry.invalid/nobody/nothing:1")
    )
    ended = towline.client.wait_for_deployment(deployment.id, timeout=60)
    assert ended.error is not None
    assert ended.error.code in {"image-not-found", "source-unavailable"}
    assert "registry.invalid" in ended.error.message


def test_a_folder_that_is_not_there_is_refused_at_once(towline: RunningTowline, project: str, tmp_path: Path) -> None:
    missing = towline.command("deploy", str(tmp_path / "missing"), "-p", project, "--yes")
    assert missing.returncode == 2
    assert "missing is not a folder" in missing.stderr
    assert project not in towline.command("projects", "list").stdout


def test_another_version_can_be_deployed_right_after_a_failure(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    failed(towline.deploy_files(project, command_app("exit 1")), "instance-exited")
    deployment = succeeded(towline.deploy_files(project, app("better")))
    assert (deployment.number, towline.get(host_of(deployment)).text) == (2, "better")


def test_deployments_of_other_services_go_on_beside_a_failing_one(towline: RunningTowline, project: str) -> None:
    for service in ("bad", "good"):
        towline.create_service(project, service)
    bad = start_deployment(towline, project, command_app("sleep 1000"), "bad")
    wait_for_step(towline, bad, "health")
    good: Deployment = succeeded(towline.deploy_files(project, app("good"), service="good"))
    assert towline.get(host_of(good)).text == "good"
    assert not towline.client.deployments.get_status(bad).status.is_final
    towline.client.deployments.cancel(bad)
    wait_for(lambda: towline.client.deployments.get_status(bad).status.is_final)
    assert docker("ps", "--quiet", "--filter", f"label=towline.deployment={bad}") == ""
