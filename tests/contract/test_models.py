"""Bad input is refused with the field named, or carried exactly."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from towline.contract.deployments import DeploymentRollback, DeploymentTrigger, DeployRequest
from towline.contract.domains import RouteCreate
from towline.contract.events import Event, Subscribe
from towline.contract.keys import KeyCreate
from towline.contract.logs import LogQuery
from towline.contract.members import InvitationAccept, InvitationCreate, MemberAdd
from towline.contract.projects import ProjectCreate, ProjectUpdate
from towline.contract.registries import RegistryCreate
from towline.contract.services import Service, ServiceCreate, ServiceScale, ServiceUpdate, Volume
from towline.contract.sources import ServiceSource
from towline.contract.uploads import UploadCreate
from towline.contract.variables import VariablesSet, VariableValue

MODELS = [
    DeployRequest,
    DeploymentRollback,
    DeploymentTrigger,
    InvitationAccept,
    InvitationCreate,
    KeyCreate,
    LogQuery,
    MemberAdd,
    ProjectCreate,
    RegistryCreate,
    RouteCreate,
    ServiceCreate,
    ServiceScale,
    ServiceUpdate,
    Subscribe,
    UploadCreate,
    VariablesSet,
]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=10,
)


def _fields_at_fault(error: ValidationError) -> set[str]:
    return {".".join(str(part) for part in item["loc"]) for item in error.errors()}


@settings(deadline=None)
@given(data=st.data())
def test_any_json_is_refused_or_accepted_and_never_breaks(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    names = st.sampled_from(sorted(model.model_fields)) | st.text(max_size=10)
    body = data.draw(st.dictionaries(names, anything, max_size=6))
    try:
        parsed = model.model_validate(body)
    except ValidationError:
        return
    assert model.model_validate_json(parsed.model_dump_json()) == parsed


@settings(deadline=None)
@given(value=st.text(max_size=200))
def test_variable_values_are_kept_exactly_or_refused(value: str) -> None:
    try:
        variable = VariableValue(name="A", value=value)
    except ValidationError:
        assert "\0" in value or any("\ud800" <= character <= "\udfff" for character in value)
        return
    assert variable.value == value
    assert json.loads(variable.model_dump_json())["value"] == value


@settings(deadline=None)
@given(ref=st.text(max_size=300))
def test_refs_never_look_like_options(ref: str) -> None:
    try:
        request = DeployRequest(ref=ref)
    except ValidationError:
        return
    assert request.ref
    assert not request.ref.startswith("-")
    assert not any(character.isspace() and ord(character) < 128 for character in request.ref)


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (ProjectCreate, {"name": "Shop"}, "name"),
        (ProjectCreate, {"name": "shop\n"}, "name"),
        (ProjectCreate, {"name": "a" * 41}, "name"),
        (ProjectCreate, {"name": "shop", "colour": "red"}, "colour"),
        (ProjectCreate, {"name": "shop", "base_domain": "10.0.0.1"}, "base_domain"),
        (ServiceCreate, {"name": "api", "port": 0}, "port"),
        (ServiceCreate, {"name": "api", "port": 65_536}, "port"),
        (ServiceCreate, {"name": "api", "port": "80"}, "port"),
        (ServiceCreate, {"name": "api", "port": True}, "port"),
        (ServiceCreate, {"name": "api", "cpus": float("nan")}, "cpus"),
        (ServiceCreate, {"name": "api", "context": "../other"}, "context"),
        (ServiceCreate, {"name": "api", "dockerfile_path": "/etc/passwd"}, "dockerfile_path"),
        (ServiceCreate, {"name": "api", "start_command": ["a\0b"]}, "start_command.0"),
        (ServiceCreate, {"name": "api", "start_command": "node app.js"}, "start_command"),
        (ServiceCreate, {"name": "api", "health": {"path": "healthz"}}, "health.path"),
        (ServiceCreate, {"name": "api", "volumes": [{"name": "v", "path": "/"}]}, "volumes.0.path"),
        (ServiceCreate, {"name": "api", "volumes": [{"name": "v", "path": "/a:ro"}]}, "volumes.0.path"),
        (ServiceCreate, {"name": "api", "volumes": [{"name": "-v", "path": "/a"}]}, "volumes.0.name"),
        (ServiceCreate, {"name": "api", "build_arguments": {"A B": "1"}}, "build_arguments.A B.[key]"),
        (ServiceCreate, {"name": "api", "source": {"type": "git", "config": {"url": "\0"}}}, "source.config"),
        (ServiceScale, {"replicas": -1}, "replicas"),
        (DeployRequest, {"ref": "--upload-pack=x"}, "ref"),
        (DeployRequest, {"image": "-x"}, "image"),
        (DeployRequest, {"upload": "sha256:12"}, "upload"),
        (RouteCreate, {"host": "shop.example.com:80"}, "host"),
        (RouteCreate, {"host": "shop.example.com", "path_prefix": "/a/../b"}, "path_prefix"),
        (RouteCreate, {"host": "{{ env }}"}, "host"),
        (RegistryCreate, {"host": "registry.example.com:0", "username": "a", "password": "b"}, "host"),
        (LogQuery, {"since": "yesterday"}, "since"),
        (LogQuery, {"since": "2026-08-01T12:00:00"}, "since"),
        (InvitationCreate, {"email": "ann@example.com\n"}, "email"),
        (InvitationCreate, {"email": "ann@example.com, bob@example.com"}, "email"),
        (InvitationCreate, {"email": "ann@example.com", "role": "root"}, "role"),
        (InvitationAccept, {"token": "../../etc", "name": "a", "password": "b"}, "token"),
        (KeyCreate, {"name": "ci", "expires_at": "2026-08-01T12:00:00"}, "expires_at"),
    ],
)
def test_bad_value_is_refused_with_its_field_named(model: type[Any], body: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    assert _fields_at_fault(caught.value) == {field}


def test_two_origins_of_one_deployment_are_refused() -> None:
    with pytest.raises(ValidationError, match="give only one of ref, image"):
        DeployRequest(ref="main", image="nginx")


def test_rollback_needs_exactly_one_target() -> None:
    with pytest.raises(ValidationError, match="give `deployment`, or both"):
        DeploymentRollback(project="shop")
    with pytest.raises(ValidationError, match="give either"):
        DeploymentRollback(deployment="dep_1", release=3)
    assert DeploymentRollback(project="shop", service="api").release is None


def test_secrets_do_not_show_in_texts_about_a_model() -> None:
    service = ServiceCreate.model_validate(
        {"name": "api", "credential": {"password": "hunter2"}, "build_secrets": {"TOKEN": "hunter2"}}
    )
    assert "hunter2" not in repr(service)
    with pytest.raises(ValidationError) as caught:
        VariableValue.model_validate({"name": "A", "value": "hunter2\0"})
    assert "hunter2" not in str(caught.value)


def test_update_tells_null_from_left_out() -> None:
    assert ProjectUpdate.model_validate({"base_domain": None}).model_fields_set == {"base_domain"}
    assert ServiceUpdate.model_validate({}).model_fields_set == set()


def test_host_is_kept_in_lower_case_without_trailing_dot() -> None:
    assert RouteCreate(host="Shop.Example.COM.", path_prefix="/api/").model_dump(include={"host", "path_prefix"}) == {
        "host": "shop.example.com",
        "path_prefix": "/api",
    }


def test_event_ids_are_camel_case_in_json_only() -> None:
    event = Event.model_validate(
        {"sequence": 1, "type": "deployment.started", "at": "2026-08-01T12:00:00Z", "projectId": "prj_1"}
    )
    assert event.project_id == "prj_1"
    assert {"projectId", "serviceId", "deploymentId"} <= set(json.loads(event.model_dump_json()))


def test_newer_server_may_send_more_than_the_client_knows() -> None:
    source = ServiceSource.model_validate({"type": "git", "colour": "red"}, extra="ignore")
    assert source.type == "git"


def test_service_shows_no_secret_fields() -> None:
    assert not {"credential", "build_secrets"} & set(Service.model_fields)


def test_volume_paths_are_absolute() -> None:
    assert Volume(name="uploads", path="/var/lib/app").path == "/var/lib/app"
