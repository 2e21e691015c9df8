"""`towline deploy` and what can be done with deployments."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
import zstandard
from tests.cli.conftest import Run
from tests.client.stub_state import StubState

from towline.contract.deployments import DeploymentError
from towline.errors import BuildFailed, Cancelled, InvalidInput
from towline.values import DeploymentStatus


def _uploaded_names(state: StubState) -> list[str]:
    (content,) = state.uploads.values()
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(bytes(content))).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        return [member.name for member in archive.getmembers() if not member.isdir()]


def test_folder_becomes_a_project_a_service_and_a_url(towline: Run, state: StubState, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "app.py").write_text("print()\n")
    result = towline("deploy", "--yes")
    assert result.code == 0
    assert result.out.rstrip().splitlines()[-1] == "http://shop.localhost:8080"
    assert "building" in result.out
    assert "build              0.25 s" in result.out
    assert set(state.services) == {("shop", "shop")}
    assert _uploaded_names(state) == ["Dockerfile", "app.py"]


def test_folder_remembers_its_project(deployed: Run, state: StubState, folder: Path) -> None:
    assert json.loads((folder / ".towline" / "project.json").read_text())["project"] == "shop"
    assert (folder / ".towline" / ".gitignore").read_text() == "*\n"
    (folder / "below").mkdir()
    assert deployed("deploy").code == 0
    assert len(state.projects) == 1


def test_folder_below_a_linked_one_is_another_service_of_its_project(
    deployed: Run, state: StubState, folder: Path
) -> None:
    (folder / "api").mkdir()
    (folder / "api" / "Dockerfile").write_text("FROM scratch\n")
    refused = deployed("deploy", "api")
    assert (refused.code, "--service NAME" in refused.err) == (InvalidInput.exit_code, True)
    assert deployed("deploy", "api", "--yes").code == 0
    assert set(state.services) == {("shop", "shop"), ("shop", "api")}
    assert json.loads((folder / "api" / ".towline" / "project.json").read_text())["service"] == "api"


def test_unchanged_folder_is_not_sent_again(deployed: Run, state: StubState) -> None:
    before = state.received_bytes
    assert deployed("deploy").code == 0
    assert state.received_bytes == before


def test_ignored_files_stay_at_home(towline: Run, state: StubState, folder: Path) -> None:
    for name in ("Dockerfile", "main.c", "a.log", "keep.log", "secret.env", "build/out", "docs/x.md", ".git/HEAD"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".gitignore").write_text("*.log\n!keep.log\nbuild/\n")
    (folder / ".dockerignore").write_text("secret.env\ndocs\nDockerfile\n")
    assert towline("deploy", "--yes").code == 0
    assert _uploaded_names(state) == [".dockerignore", ".gitignore", "Dockerfile", "keep.log", "main.c"]


def test_json_is_one_document_and_nothing_else(towline: Run, folder: Path) -> None:
    (folder / "Dockerfile").touch()
    result = towline("deploy", "--yes", "--json")
    assert result.json["status"] == "success"
    assert result.json["urls"] == ["http://shop.localhost:8080"]
    assert result.err == ""


def test_failed_build_says_why_and_what_to_try(towline: Run, state: StubState, folder: Path) -> None:
    (folder / "Dockerfile").touch()
    state.outcome = DeploymentStatus.FAILED
    state.error = DeploymentError(code="build-failed", message="The build ended with exit code 1.", hint="Read it.")
    result = towline("deploy", "--yes")
    assert result.code == BuildFailed.exit_code
    assert result.err == "Error: The build ended with exit code 1.\nTry: Read it.\n"
    assert "building" in result.out
    assert "exit code 1" not in result.out


@pytest.mark.parametrize("outcome", [DeploymentStatus.CANCELLED, DeploymentStatus.SUPERSEDED])
def test_replaced_deployment_has_an_exit_code_of_its_own(
    towline: Run, state: StubState, folder: Path, outcome: DeploymentStatus
) -> None:
    (folder / "Dockerfile").touch()
    state.outcome = outcome
    result = towline("deploy", "--yes")
    assert result.code == Cancelled.exit_code
    assert outcome in result.err


def test_without_a_terminal_nothing_is_asked(towline: Run, folder: Path) -> None:
    (folder / "Dockerfile").touch()
    result = towline("deploy")
    assert result.code == InvalidInput.exit_code
    assert "'shop' would be its name" in result.err
    assert "Try: Pass --yes" in result.err


def test_empty_folder_is_refused_before_anything_is_made_for_it(towline: Run, state: StubState) -> None:
    result = towline("deploy", "--yes")
    assert result.code == InvalidInput.exit_code
    assert "holds no file" in result.err
    assert not state.projects
    assert not state.services


def test_repository_is_named_after_its_address(towline: Run, state: StubState) -> None:
    result = towline("deploy", "--git", "https://git.example.com/acme/Blog.git", "--ref", "main", "--yes", "--detach")
    assert result.code == 0
    source = state.services[("blog", "blog")].source
    assert source.type == "git"
    assert source.config["url"] == "https://git.example.com/acme/Blog.git"
    assert next(iter(state.requests.values())).ref == "main"


def test_image_is_deployed_without_an_upload(towline: Run, state: StubState) -> None:
    result = towline(
        "deploy", "--image", "ghcr.io/acme/api:1.4", "--port", "80", "--health", "/up", "--yes", "--detach"
    )
    assert result.code == 0
    service = state.services[("api", "api")]
    assert (service.port, service.health.path) == (80, "/up")
    assert next(iter(state.requests.values())).image == "ghcr.io/acme/api:1.4"
    assert not state.uploads


def test_dockerfile_alone_is_sent_as_text(towline: Run, state: StubState, folder: Path) -> None:
    (folder / "Other").write_text("FROM alpine\n")
    assert towline("deploy", "--dockerfile", "Other", "--project", "hello", "--yes", "--detach").code == 0
    assert next(iter(state.requests.values())).dockerfile == "FROM alpine\n"


def test_two_origins_are_refused(towline: Run) -> None:
    result = towline("deploy", ".", "--image", "nginx")
    assert result.code == InvalidInput.exit_code
    assert "PATH and --image cannot be deployed at once" in result.err


def test_setting_of_an_existing_service_is_changed(deployed: Run, state: StubState) -> None:
    assert deployed("deploy", "--port", "9000").code == 0
    assert state.services[("shop", "shop")].port == 9000


def test_upload_is_what_its_digest_says(deployed: Run, state: StubState) -> None:
    ((digest, content),) = state.uploads.items()
    assert digest == "sha256:" + hashlib.sha256(content).hexdigest()


def test_rollback_goes_to_the_release_before(deployed: Run, state: StubState) -> None:
    deployed("deploy")
    result = deployed("rollback")
    assert result.code == 0
    assert list(state.deployments.values())[-1].rollback_of == 2
    assert deployed("rollback", "--to", "1", "--json").json["rollback_of"] == 1


def test_releases_are_listed_with_the_current_one_marked(deployed: Run) -> None:
    deployed("deploy")
    lines = deployed("releases").out.splitlines()
    assert lines[1].startswith("2 *")
    assert deployed("releases", "list", "--json").json["items"][0]["is_current"] is True


def test_deployments_are_listed_shown_and_downloaded(deployed: Run, state: StubState, folder: Path) -> None:
    (deployment_id,) = state.deployments
    assert deployment_id in deployed("deployments").out
    assert "build 0.25 s" in deployed("deployments", "show", deployment_id).out
    changes = deployed("deployments", "changes", deployment_id).out
    assert ("port: 80 -> 8080" in changes, "TOKEN changed" in changes) == (True, True)
    assert deployed("deployments", "watch", deployment_id).code == 0
    assert deployed("deployments", "download", deployment_id, "-o", "x.zst").code == 0
    assert (folder / "x.zst").read_bytes() == b"bundle"


def test_cancel_without_an_id_needs_a_running_deployment(deployed: Run, state: StubState) -> None:
    assert "No deployment of shop/shop is running" in deployed("cancel").err
    (deployment_id,) = state.deployments
    assert deployed("cancel", deployment_id, "--json").json["status"] == "cancelled"
