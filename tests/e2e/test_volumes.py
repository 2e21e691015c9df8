"""A service with a volume: stopped before its new version starts, its files kept."""

import pytest
from tests.e2e.parts import app, command_app, containers_of, docker, failed, host_of, log_of, run_inside, succeeded
from tests.running import RunningTowline, wait_for

from towline.contract.projects import ProjectCreate, ProjectUpdate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
VOLUME = [{"name": "files", "path": "/data"}]


def _volumes(towline: RunningTowline, project: str) -> list[str]:
    mounts = docker("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", containers_of(project)[0])
    return mounts.split()


def test_files_survive_a_new_version_and_the_old_one_is_stopped_first(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, volumes=VOLUME)
    first = succeeded(towline.deploy_files(project, app("one")))
    run_inside(containers_of(project)[0], "sh", "-c", "echo kept >/data/note")
    assert "is stopped before" not in log_of(towline, first.id)
    second = succeeded(towline.deploy_files(project, app("two")))
    assert "its old instance is stopped before the new one starts" in log_of(towline, second.id)
    assert towline.get(host_of(second)).text == "two"
    assert run_inside(containers_of(project)[0], "cat", "/data/note") == "kept"


def test_a_version_that_fails_brings_the_old_one_back_with_its_files(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, volumes=VOLUME)
    host = host_of(succeeded(towline.deploy_files(project, app("old"))))
    run_inside(containers_of(project)[0], "sh", "-c", "echo kept >/data/note")
    failed(towline.deploy_files(project, command_app("exit 4")), "instance-exited")
    wait_for(lambda: towline.get(host).text == "old")
    (container,) = containers_of(project, all_states=True)
    assert run_inside(container, "cat", "/data/note") == "kept"


def test_files_survive_a_new_name_and_go_with_the_service(towline: RunningTowline, project: str) -> None:
    towline.create_service(project, volumes=VOLUME)
    succeeded(towline.deploy_files(project, app("page")))
    volumes = _volumes(towline, project)
    run_inside(containers_of(project)[0], "sh", "-c", "echo kept >/data/note")
    renamed = f"{project}-new"
    towline.client.projects.update(project, ProjectUpdate(name=renamed))
    try:
        succeeded(towline.deploy_files(renamed, app("again")))
        assert _volumes(towline, renamed) == volumes
        assert run_inside(containers_of(renamed)[0], "cat", "/data/note") == "kept"
        deleted = towline.command("services", "delete", f"{renamed}/web", "--yes")
        assert deleted.returncode == 0, deleted.stderr
        wait_for(lambda: not set(volumes) & set(docker("volume", "ls", "--quiet").split()))
    finally:
        towline.client.projects.delete(renamed)


def test_a_volume_cannot_be_a_folder_of_the_host(towline: RunningTowline, project: str) -> None:
    towline.client.projects.create(ProjectCreate(name=project))
    for volume in ("/etc:/host", "files:../host", "files:/", "a/b:/data"):
        refused = towline.command("services", "create", "web", "-p", project, "--volume", volume)
        assert refused.returncode == 2, (volume, refused.stderr)
