"""A folder becomes a live URL, and a new version of it takes over."""

import json
from pathlib import Path

import pytest
from tests.e2e.parts import BASE, app, containers_of, docker, host_of, inspect, log_of, succeeded, write_tree
from tests.running import RunningTowline, wait_for, web_app

from towline.contract.deployments import Deployment
from towline.values import Step

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_a_folder_becomes_a_live_url_and_its_update_takes_over(
    towline: RunningTowline, project: str, tmp_path: Path
) -> None:
    folder = write_tree(tmp_path, web_app("version one"))
    first = towline.command("deploy", str(folder), "--project", project, "--service", "web", "--yes")
    assert first.returncode == 0, first.stderr
    url = first.stdout.strip().splitlines()[-1]
    assert url == towline.url_of(f"web-{project}.localhost")
    for step in ("fetch", "build", "start", "health", "switch", "retire"):
        assert f"  {step}" in first.stdout, first.stdout
    host = f"web-{project}.localhost"
    assert towline.get(host).text == "version one"
    old = containers_of(project)
    (folder / "www" / "index.html").write_text("version two")
    second = towline.command("deploy", str(folder), "--json")
    assert second.returncode == 0, second.stderr
    deployment = Deployment.model_validate_json(second.stdout)
    assert (deployment.number, deployment.release, deployment.urls) == (2, 2, [url])
    assert towline.get(host).text == "version two"
    new = containers_of(project, all_states=True)
    assert len(new) == len(old) == 1
    assert new != old


def test_what_ignore_files_name_is_not_uploaded(towline: RunningTowline, project: str, tmp_path: Path) -> None:
    files = {
        "Dockerfile": f"FROM {BASE}\nCOPY . /www\n".encode(),
        "index.html": b"page",
        "secret.txt": b"not for the image",
        "notes.log": b"neither",
        ".gitignore": b"*.log\n",
        ".dockerignore": b"secret.txt\n",
    }
    deployed = towline.command("deploy", str(write_tree(tmp_path, files)), "-p", project, "-s", "web", "--yes")
    assert deployed.returncode == 0, deployed.stderr
    host = f"web-{project}.localhost"
    assert [towline.get(host, path).status_code for path in ("/", "/secret.txt", "/notes.log")] == [200, 404, 404]


def test_an_unchanged_tree_is_not_built_again_unless_asked(
    towline: RunningTowline, project: str, tmp_path: Path
) -> None:
    towline.create_service(project)
    files = app("same")
    first = succeeded(towline.deploy_files(project, files))
    again = succeeded(towline.deploy_files(project, files))
    assert (first.is_cached, again.is_cached) == (False, True)
    assert "the build is skipped" in log_of(towline, again.id)
    assert again.image == first.image
    write_tree(tmp_path, files)
    rebuilt = towline.command("deploy", str(tmp_path), "-p", project, "-s", "web", "--no-cache", "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert not Deployment.model_validate_json(rebuilt.stdout).is_cached


def test_the_source_of_a_deployment_can_be_downloaded(towline: RunningTowline, project: str, tmp_path: Path) -> None:
    towline.create_service(project)
    deployment = succeeded(towline.deploy_files(project, app("page")))
    target = tmp_path / "source.tar.zst"
    downloaded = towline.command("deployments", "download", deployment.id, "--output", str(target), "--json")
    assert downloaded.returncode == 0, downloaded.stderr
    assert json.loads(downloaded.stdout)["size"] == target.stat().st_size > 0
    assert target.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"


def test_a_deleted_project_leaves_nothing_in_docker(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    deployment = succeeded(towline.deploy_files(project, app("soon gone")))
    network = next(iter(inspect(containers_of(project)[0])["NetworkSettings"]["Networks"]))
    deleted = towline.command("projects", "delete", project, "--yes")
    assert deleted.returncode == 0, deleted.stderr
    assert towline.get(host_of(deployment)).status_code == 404
    wait_for(lambda: not containers_of(project, all_states=True))
    wait_for(lambda: network not in docker("network", "ls", "--format", "{{.Name}}").split())


def test_steps_are_recorded_in_order_with_their_times(towline: RunningTowline, project: str) -> None:
    towline.create_service(project)
    steps = succeeded(towline.deploy_files(project, app("page"))).steps
    order = [Step.FETCH, Step.BUILD, Step.START, Step.HEALTH, Step.SWITCH, Step.RETIRE]
    assert [step.step for step in steps] == order
    assert all(step.seconds is not None and step.finished_at is not None for step in steps)
