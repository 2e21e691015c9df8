"""What the Engine is asked to make."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.errors import InvalidInput
from towline.orchestrators.docker.payloads import (
    command_labels,
    container_payload,
    environment_list,
    instance_labels,
    network_payload,
)
from towline.values import Limits, RunSpec, VolumeMount

SPEC = RunSpec(
    workload_id="wl_1",
    project_id="prj_1",
    service_id="svc_1",
    environment_id="env_1",
    release_id="rel_1",
    release_number=7,
    deployment_id="dep_1",
    project="shop",
    service="api",
    environment="production",
    image="sha256:" + "a" * 64,
    network="towline-env_1",
)
OWN_LABELS = {
    "traefik.enable": "false",
    "towline.instance-of": "ist_1",
    "towline.workload": "wl_1",
    "towline.release": "rel_1",
    "towline.deployment": "dep_1",
    "towline.project": "shop",
    "towline.service": "api",
    "towline.environment": "production",
}


def changed(**changes: Any) -> RunSpec:
    """SPEC with other fields."""
    return replace(SPEC, **changes)


def test_a_container_is_locked_down_and_limited_by_default() -> None:
    labels = instance_labels(SPEC, installation_id="ist_1", instance_id="ins_1")
    assert container_payload(SPEC, labels=labels, with_init=True) == {
        "Image": SPEC.image,
        "Env": [],
        "Labels": {**OWN_LABELS, "towline.instance": "ins_1"},
        "StopTimeout": 10,
        "HostConfig": {
            "NetworkMode": "towline-env_1",
            "ExtraHosts": [],
            "Mounts": [],
            "RestartPolicy": {"Name": "no"},
            "SecurityOpt": ["no-new-privileges:true"],
            "CapDrop": ["MKNOD", "NET_RAW", "SETFCAP"],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
            "Init": True,
            "PidsLimit": 512,
        },
        "NetworkingConfig": {"EndpointsConfig": {"towline-env_1": {"Aliases": []}}},
    }


def test_every_setting_of_a_release_reaches_the_engine() -> None:
    spec = changed(
        command=("serve", "--port", "80"),
        variables={"PORT": "80", "MOTTO": 'a "b" $c\n\\é'},
        aliases=("api",),
        hosts={"db.internal": "10.0.0.9"},
        volumes=(VolumeMount("shop-files", "/var/files"),),
        limits=Limits(memory_bytes=64_000_000, cpus=0.5, pids=99),
        stop_grace=timedelta(seconds=1.5),
    )
    payload = container_payload(spec, labels=OWN_LABELS, with_init=False)
    assert payload["Cmd"] == ["serve", "--port", "80"]
    assert payload["Env"] == ["PORT=80", 'MOTTO=a "b" $c\n\\é']
    assert payload["StopTimeout"] == 2
    assert payload["NetworkingConfig"] == {"EndpointsConfig": {"towline-env_1": {"Aliases": ["api"]}}}
    host = payload["HostConfig"]
    assert "Init" not in host
    assert host["ExtraHosts"] == ["db.internal:10.0.0.9"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (64_000_000, 64_000_000, 500_000_000)
    assert host["PidsLimit"] == 99
    assert host["Mounts"] == [
        {
            "Type": "volume",
            "Source": "shop-files",
            "Target": "/var/files",
            "VolumeOptions": {"Labels": {"towline.instance-of": "ist_1"}},
        }
    ]


def test_a_command_takes_the_place_of_the_program_and_of_its_name() -> None:
    spec = changed(command=("serve",), aliases=("api",))
    payload = container_payload(spec, labels=OWN_LABELS, with_init=True, command=["migrate"])
    assert payload["Cmd"] == ["migrate"]
    assert payload["NetworkingConfig"] == {"EndpointsConfig": {"towline-env_1": {"Aliases": []}}}


def test_no_port_is_ever_published() -> None:
    payload = container_payload(changed(port=80), labels=OWN_LABELS, with_init=True)
    assert "PortBindings" not in payload["HostConfig"]
    assert "PublishAllPorts" not in payload["HostConfig"]


def test_labels_of_the_specification_never_hide_towlines_own() -> None:
    spec = changed(labels={"traefik.enable": "true", "towline.instance-of": "forged", "towline.instance": "forged"})
    labels = instance_labels(spec, installation_id="ist_1", instance_id="ins_1")
    assert labels == {**OWN_LABELS, "towline.instance": "ins_1", "traefik.enable": "true"}


def test_a_commands_container_is_no_instance() -> None:
    labels = command_labels(changed(labels={"towline.instance": "x"}), installation_id="ist_1", command_id="cmd_1")
    assert labels == {**OWN_LABELS, "towline.command": "cmd_1"}


NAMES = st.text(st.characters(exclude_characters="=\0", codec="utf-8"), min_size=1)
VALUES = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


@given(st.dictionaries(NAMES, VALUES))
def test_variables_are_carried_exactly(variables: dict[str, str]) -> None:
    assert dict(entry.split("=", 1) for entry in environment_list(variables)) == variables


@pytest.mark.parametrize("variables", [{"": "x"}, {"A=B": "x"}, {"A": "\0"}, {"A\0": ""}, {"A": "\udcff"}])
def test_variables_that_would_be_changed_are_refused(variables: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        environment_list(variables)


@pytest.mark.parametrize(
    "volume",
    [
        VolumeMount("/etc", "/data"),
        VolumeMount("", "/data"),
        VolumeMount("../x", "/data"),
        VolumeMount("ok", "data"),
        VolumeMount("ok", "/"),
        VolumeMount("ok", "/a/../b"),
        VolumeMount("ok", "/a\0"),
    ],
)
def test_a_volume_is_a_name_and_an_absolute_path_never_a_path_of_the_host(volume: VolumeMount) -> None:
    with pytest.raises(InvalidInput) as refused:
        container_payload(changed(volumes=(volume,)), labels=OWN_LABELS, with_init=True)
    assert refused.value.field == "volumes"


def test_an_environments_network_is_a_labelled_bridge_with_a_way_out() -> None:
    payload = network_payload("net", subnet="10.1.0.0/26", gateway="10.1.0.1", labels={"towline.instance-of": "x"})
    assert payload == {
        "Name": "net",
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": False,
        "IPAM": {
            "Driver": "default",
            "Config": [{"Subnet": "10.1.0.0/26", "Gateway": "10.1.0.1", "IPRange": "10.1.0.0/27"}],
        },
        "Options": {"com.docker.network.bridge.enable_icc": "true"},
        "Labels": {"towline.instance-of": "x"},
    }
