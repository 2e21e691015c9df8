"""The client against a real HTTP server that speaks the contract."""

import hashlib
from pathlib import Path

import pytest
from tests.client.stub_state import StubState

from towline.client import TowlineClient
from towline.client.connection import Call
from towline.client.problems import all_error_classes, error_class
from towline.contract.deployments import DeploymentRollback, DeploymentTrigger, DeployRequest
from towline.contract.logs import LogEntry
from towline.contract.projects import ProjectCreate, ProjectUpdate
from towline.contract.services import ServiceCreate
from towline.contract.variables import VariableDeleteQuery, VariableQuery, VariablesSet, VariableValue
from towline.errors import (
    BuildFailed,
    Conflict,
    InvalidInput,
    NotFound,
    TimedOut,
    TowlineError,
    Unauthenticated,
    Unavailable,
    code_of,
)
from towline.values import DeploymentStatus


def _with_service(client: TowlineClient) -> TowlineClient:
    client.projects.create(ProjectCreate(name="shop"))
    client.services.create("shop", ServiceCreate(name="api"))
    return client


def test_project_is_created_read_changed_and_deleted(client: TowlineClient) -> None:
    created = client.projects.create(ProjectCreate(name="shop"))
    assert client.projects.get("shop") == client.projects.get(created.id) == created
    assert client.projects.update("shop", ProjectUpdate(name="store")).name == "store"
    client.projects.delete("store")
    with pytest.raises(NotFound, match="no project 'store'"):
        client.projects.get("store")


def test_all_pages_of_a_list_are_followed(client: TowlineClient) -> None:
    for number in range(5):
        client.projects.create(ProjectCreate(name=f"shop-{number}"))
    assert [project.name for project in client.projects.iterate()] == [f"shop-{number}" for number in range(5)]


def test_problem_becomes_the_error_it_was(client: TowlineClient) -> None:
    client.projects.create(ProjectCreate(name="shop"))
    with pytest.raises(Conflict) as caught:
        client.projects.create(ProjectCreate(name="shop"))
    assert caught.value.message == "There is already a project 'shop'."
    assert caught.value.field == "name"
    assert caught.value.hint == Conflict.hint


def test_invalid_fields_are_named_in_the_message(client: TowlineClient) -> None:
    client.connection.http.params = {"limit": "500"}
    with pytest.raises(InvalidInput, match=r"not valid: limit: .*less than or equal to 200") as caught:
        client.projects.list()
    assert caught.value.field == "limit"


def test_every_error_code_leads_back_to_its_class() -> None:
    for kind in all_error_classes():
        assert error_class(code_of(kind)) is kind
    assert error_class("from-the-future") is TowlineError


def test_wrong_key_is_refused(server_url: str) -> None:
    with TowlineClient(server_url, "wrong") as client, pytest.raises(Unauthenticated):
        client.projects.list()


def test_call_that_did_not_get_through_is_sent_again_with_the_same_key(client: TowlineClient, state: StubState) -> None:
    state.failures_before_answer = 2
    client.projects.create(ProjectCreate(name="shop"))
    keys = [headers["idempotency-key"] for operation, headers in state.calls if operation == "projects.create"]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_server_that_is_not_there_is_named_with_a_hint() -> None:
    with TowlineClient("http://127.0.0.1:9", "k") as client, pytest.raises(Unavailable) as caught:
        client.projects.list()
    assert "http://127.0.0.1:9" in caught.value.message
    assert "towline up" in caught.value.hint


def test_something_else_at_the_address_is_told_apart(client: TowlineClient, server_url: str) -> None:
    with TowlineClient(f"{server_url}/elsewhere", "k") as stranger, pytest.raises(Unavailable, match="not as Towline"):
        stranger.projects.list()


@pytest.mark.parametrize("address", ["ftp://example.com", "shop", "http://", "http://[", ""])
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="not an address"):
        TowlineClient(address, "k")


def test_localhost_names_reach_this_machine(server_url: str, state: StubState) -> None:
    named = server_url.replace("127.0.0.1", "towline.localhost")
    with TowlineClient(named, "twl_" + "k" * 40) as client:
        assert client.instance.get_account().user.name == "Ann"
    assert state.calls[0][1]["host"] == named.removeprefix("http://")


def test_names_in_paths_are_escaped() -> None:
    assert Call("projects.get", {"project": "../keys?x"}).url == "/api/v1/projects/..%2Fkeys%3Fx"


def test_upload_is_sent_once(client: TowlineClient, state: StubState, tmp_path: Path) -> None:
    client.projects.create(ProjectCreate(name="shop"))
    archive = tmp_path / "source.tar"
    archive.write_bytes(b"x" * 700_000)
    progress: list[tuple[int, int]] = []
    upload = client.uploads.send("shop", archive, on_progress=lambda there, size: progress.append((there, size)))
    assert upload.digest == "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
    assert progress[-1] == (700_000, 700_000)
    client.uploads.send("shop", archive)
    assert state.received_bytes == 700_000


def test_cut_upload_goes_on_where_it_was(client: TowlineClient, state: StubState, tmp_path: Path) -> None:
    client.projects.create(ProjectCreate(name="shop"))
    archive = tmp_path / "source.tar"
    archive.write_bytes(bytes(range(256)) * 8000)
    state.cut_upload_after = 300_000
    assert client.uploads.send("shop", archive).is_complete
    assert state.received_bytes == archive.stat().st_size
    assert len([name for name, _ in state.calls if name == "uploads.append"]) >= 2


def test_empty_upload_is_refused_before_it_is_sent(client: TowlineClient, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(InvalidInput, match="is empty"):
        client.uploads.send("shop", tmp_path / "empty")


def test_log_is_followed_to_its_end(client: TowlineClient) -> None:
    deployment = _with_service(client).services.deploy("shop", "api", DeployRequest())
    assert [entry.message for entry in client.deployments.follow_logs(deployment.id)] == [
        "fetching",
        "building",
        "starting",
    ]


def test_cut_log_goes_on_without_gap_or_double(client: TowlineClient, state: StubState) -> None:
    state.log_lines = [f"line {number}" for number in range(50)]
    state.cut_log_after = 20
    deployment = _with_service(client).services.deploy("shop", "api", DeployRequest())
    assert [entry.message for entry in client.deployments.follow_logs(deployment.id)] == state.log_lines


def test_service_log_goes_on_after_the_server_ended_it(client: TowlineClient, state: StubState) -> None:
    _with_service(client)
    lines = client.services.follow_logs("shop", "api")
    assert [next(lines).sequence for _ in range(3)] == [1, 2, 3]
    state.log_lines.append("one more")
    assert next(lines).message == "one more"


def test_waiting_passes_every_line_on(client: TowlineClient, state: StubState) -> None:
    state.looks = 10
    deployment = _with_service(client).deployments.trigger(DeploymentTrigger(project="shop", service="api"))
    lines: list[LogEntry] = []
    assert client.wait_for_deployment(deployment.id, on_log=lines.append).status is DeploymentStatus.SUCCESS
    assert [entry.sequence for entry in lines] == [1, 2, 3]


def test_waiting_tells_each_change_once(client: TowlineClient) -> None:
    deployment = _with_service(client).deployments.trigger(DeploymentTrigger(project="shop", service="api"))
    statuses: list[DeploymentStatus] = []
    client.wait_for_deployment(deployment.id, on_change=lambda change: statuses.append(change.status), timeout=20)
    assert statuses == [DeploymentStatus.BUILDING, DeploymentStatus.SUCCESS]


def test_waiting_ends_after_its_time(client: TowlineClient, state: StubState) -> None:
    state.looks = 1000
    deployment = _with_service(client).deployments.trigger(DeploymentTrigger(project="shop", service="api"))
    with pytest.raises(TimedOut, match="is still building"):
        client.wait_for_deployment(deployment.id, timeout=0.1)


def test_rollback_names_its_target(client: TowlineClient) -> None:
    _with_service(client)
    for _ in range(2):
        client.wait_for_deployment(client.services.deploy("shop", "api", DeployRequest()).id)
    rollback = client.deployments.rollback(DeploymentRollback(project="shop", service="api"))
    assert rollback.rollback_of == 2
    assert [release.is_current for release in client.releases.list("shop", "api").items] == [True, False]


def test_secret_variables_come_back_without_value(client: TowlineClient) -> None:
    _with_service(client)
    values = [VariableValue(name="MODE", value="fast"), VariableValue(name="TOKEN", value="s3cret", is_secret=True)]
    client.variables.set("shop", VariablesSet(service="api", variables=values))
    shown = client.variables.list("shop", VariableQuery(service="api")).items
    assert [(variable.name, variable.value) for variable in shown] == [("MODE", "fast"), ("TOKEN", None)]
    client.variables.delete("shop", "MODE", VariableDeleteQuery(service="api"))
    assert len(client.variables.list("shop", VariableQuery(service="api")).items) == 1


def test_bundle_is_written_to_a_file(client: TowlineClient, tmp_path: Path) -> None:
    assert client.deployments.download_bundle("dep_1", tmp_path / "bundle.tar.zst") == 6
    assert (tmp_path / "bundle.tar.zst").read_bytes() == b"bundle"


def test_events_are_resumed_after_the_connection_ended(client: TowlineClient) -> None:
    events = client.events.follow(["project:prj_1"])
    assert [next(events).sequence for _ in range(5)] == [5, 6, 7, 8, 9]


def test_events_need_a_key(server_url: str) -> None:
    with TowlineClient(server_url, "wrong") as client, pytest.raises(Unauthenticated):
        next(client.events.follow(["project:prj_1"]))


def test_failed_deployment_carries_its_reason(client: TowlineClient, state: StubState) -> None:
    state.outcome = DeploymentStatus.FAILED
    deployment = client.wait_for_deployment(_with_service(client).services.deploy("shop", "api", DeployRequest()).id)
    assert deployment.status is DeploymentStatus.FAILED
    assert error_class("build-failed") is BuildFailed
