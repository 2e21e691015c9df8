"""A repository becomes a live URL: private, a branch, a folder of it; and what git must not do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.parts import app, failed, host_of, log_of, succeeded, write_tree
from tests.running import RunningTowline
from tests.sources.servers import GitServer, Repository, create_repository, serve_git, serve_silence

from towline.client import TowlineClient
from towline.contract.deployments import Deployment, DeployRequest
from towline.contract.keys import KeyCreate
from towline.contract.services import ServiceUpdate
from towline.errors import TowlineError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
PASSWORD = "correct horse/battery?staple"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with an app on `main`, another one on `next`, and a third in the folder `apps/shop` of `main`."""
    repository = create_repository(tmp_path / "served" / "shop")
    write_tree(repository.folder, app("from main"))
    write_tree(repository.folder / "apps" / "shop", app("from the folder"))
    repository.commit_all("Open the shop")
    repository.git("checkout", "--quiet", "-b", "next/ö")
    write_tree(repository.folder, app("from next"))
    repository.commit_all("Try something")
    repository.git("checkout", "--quiet", "main")
    return repository


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    """A git server over HTTP."""
    with serve_git(repository.folder.parent) as running:
        yield running


def _deploy(towline: RunningTowline, project: str, service: str = "web", **request: object) -> Deployment:
    asked = towline.client.services.deploy(project, service, DeployRequest.model_validate(request))
    return towline.client.wait_for_deployment(asked.id, timeout=60)


def test_a_repository_becomes_a_live_url_and_pushes_its_updates(
    towline: RunningTowline, project: str, repository: Repository, server: GitServer
) -> None:
    url = f"{server.url}/shop/.git"
    first = towline.command("deploy", "--git", url, "-p", project, "-s", "web", "--yes", "--json")
    assert first.returncode == 0, first.stderr
    deployment = Deployment.model_validate_json(first.stdout)
    assert towline.get(host_of(deployment)).text == "from main"
    assert (deployment.revision, deployment.message) == (repository.git("rev-parse", "HEAD"), "Open the shop")
    write_tree(repository.folder, app("newer"))
    repository.commit_all("Second")
    assert succeeded(_deploy(towline, project)).message == "Second"
    assert towline.get(host_of(deployment)).text == "newer"
    by_branch = succeeded(_deploy(towline, project, ref="next/ö"))
    assert towline.get(host_of(by_branch)).text == "from next"
    by_commit = succeeded(_deploy(towline, project, ref=deployment.revision))
    assert (by_commit.revision, by_commit.is_cached) == (deployment.revision, True)
    assert towline.get(host_of(by_commit)).text == "from main"


def test_a_private_repository_needs_its_credential_which_is_never_shown(
    towline: RunningTowline, project: str, server: GitServer
) -> None:
    server.require("deploy", PASSWORD)
    source = {"type": "git", "config": {"url": f"{server.url}/shop/.git"}}
    towline.create_service(project, source=source)
    refused = _deploy(towline, project)
    assert "credential" in failed(refused, "source-unavailable")
    credential = {"credential": {"username": "deploy", "password": PASSWORD}}
    changed = towline.client.services.update(project, "web", ServiceUpdate.model_validate(credential))
    assert changed.has_credential
    assert PASSWORD not in changed.model_dump_json()
    deployment = succeeded(_deploy(towline, project))
    assert towline.get(host_of(deployment)).text == "from main"
    assert PASSWORD not in log_of(towline, deployment.id)
    wrong = {"credential": {"username": "deploy", "password": "guessed"}}
    towline.client.services.update(project, "web", ServiceUpdate.model_validate(wrong))
    assert "guessed" not in failed(_deploy(towline, project), "source-unavailable")
    assert towline.get(host_of(deployment)).text == "from main"


def test_a_branch_and_a_folder_of_the_repository(towline: RunningTowline, project: str, server: GitServer) -> None:
    url = f"{server.url}/shop/.git"
    configs = {"folder": {"url": url, "subdirectory": "apps/shop"}, "branch": {"url": url, "branch": "next/ö"}}
    for service, config in configs.items():
        towline.create_service(project, service, source={"type": "git", "config": config})
    towline.create_service(project, "context", source={"type": "git", "config": {"url": url}}, context="apps/shop")
    texts = {name: towline.get(host_of(succeeded(_deploy(towline, project, name)))).text for name in configs}
    assert texts == {"folder": "from the folder", "branch": "from next"}
    with_context = succeeded(_deploy(towline, project, "context"))
    assert towline.get(host_of(with_context)).text in {"from main", "from the folder"}


def test_what_is_not_there_is_named(towline: RunningTowline, project: str, server: GitServer) -> None:
    source = {"type": "git", "config": {"url": f"{server.url}/shop/.git"}}
    towline.create_service(project, source=source)
    assert "'nowhere'" in failed(_deploy(towline, project, ref="nowhere"), "source-unavailable")
    source = {"type": "git", "config": {"url": f"{server.url}/missing/.git"}}
    towline.create_service(project, "missing", source=source)
    assert f"{server.url}/missing/.git" in failed(_deploy(towline, project, "missing"), "source-unavailable")
    source = {"type": "git", "config": {"url": f"{server.url}/shop/.git", "subdirectory": "no/such"}}
    towline.create_service(project, "folder", source=source)
    assert "no/such" in failed(_deploy(towline, project, "folder"), "source-unavailable")


def test_a_server_that_hangs_fails_within_the_set_time(towline: RunningTowline, project: str) -> None:
    """The shared Towline gives a fetch four seconds."""
    with serve_silence() as url:
        towline.create_service(project, source={"type": "git", "config": {"url": url}})
        assert "took longer than 12 s" in failed(_deploy(towline, project), "timed-out")


def test_folders_of_the_host_are_for_administrators_only(
    towline: RunningTowline, project: str, repository: Repository
) -> None:
    towline.create_service(project, source={"type": "git", "config": {"url": repository.url}})
    assert towline.get(host_of(succeeded(_deploy(towline, project)))).text == "from main"
    scopes = ["deploy", "manage_services", "view_projects"]
    key = towline.client.keys.create(KeyCreate(name="limited", project=project, scopes=scopes))
    with TowlineClient(towline.client.connection.base_url, key.value) as limited:
        asked = limited.services.deploy(project, "web", DeployRequest())
        ended = limited.wait_for_deployment(asked.id, timeout=60)
    assert "administrator" in failed(ended, ended.error.code if ended.error else "")


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/towline-e2e-owned",
        "--upload-pack=touch /tmp/towline-e2e-owned",
        "ssh://-oProxyCommand=touch%20/tmp/towline-e2e-owned/x",
        "http://169.254.169.254:1/x\nhost: y",
        "fd::17",
        "",
    ],
)
def test_an_address_that_is_no_address_is_refused_with_the_field(
    towline: RunningTowline, project: str, url: str
) -> None:
    made = towline.command("projects", "create", project)
    assert made.returncode == 0, made.stderr
    with pytest.raises(TowlineError) as refused:
        towline.create_service(project, source={"type": "git", "config": {"url": url}})
    assert refused.value.status == 422
    assert "url" in (refused.value.field or "")
    assert not Path("/tmp/towline-e2e-owned").exists()
