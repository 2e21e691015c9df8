"""What Towline asks the Engine to make, as pure functions of the run specification."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from towline.errors import InvalidInput
from towline.orchestrators.docker.addresses import halves
from towline.orchestrators.docker.engine import Document
from towline.values import Limits, RunSpec, VolumeMount

OWNER_LABEL: Final = "towline.instance-of"
INSTANCE_LABEL: Final = "towline.instance"
COMMAND_LABEL: Final = "towline.command"
WORKLOAD_LABEL: Final = "towline.workload"
RELEASE_LABEL: Final = "towline.release"
DEPLOYMENT_LABEL: Final = "towline.deployment"

DROPPED_CAPABILITIES: Final = ("MKNOD", "NET_RAW", "SETFCAP")
"""Of Docker's default set: device nodes, forged packets towards neighbours, and capabilities put on files."""

_VOLUME_NAME: Final = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}"


def container_payload(
    spec: RunSpec, *, labels: Mapping[str, str], with_init: bool, command: Sequence[str] = (), address: str = ""
) -> Document:
    """Body of `POST /containers/create` for one instance, or for `command` in a fresh container of the release.

    An instance keeps its `address` for life. A command takes the place of the image's CMD, as in
    `docker run IMAGE COMMAND`; its ENTRYPOINT stays in front.
    Raises InvalidInput for a variable, volume or command that cannot be carried exactly.
    """
    payload: Document = {
        "Image": spec.image,
        "Env": environment_list(spec.variables),
        "Labels": dict(labels),
        "StopTimeout": math.ceil(spec.stop_grace.total_seconds()),
        "HostConfig": _host_config(spec, labels=labels, with_init=with_init),
        "NetworkingConfig": {
            "EndpointsConfig": {spec.network: _endpoint([] if command else spec.aliases, address)},
        },
    }
    if arguments := [*(command or spec.command)]:
        payload["Cmd"] = [_carried(argument, field="command") for argument in arguments]
    return payload


def instance_labels(spec: RunSpec, *, installation_id: str, instance_id: str) -> dict[str, str]:
    """Labels of one instance; those of the specification never hide Towline's own."""
    return {**_release_labels(spec, installation_id=installation_id), INSTANCE_LABEL: instance_id}


def command_labels(spec: RunSpec, *, installation_id: str, command_id: str) -> dict[str, str]:
    """Labels of a command's container, which is no instance."""
    return {**_release_labels(spec, installation_id=installation_id), COMMAND_LABEL: command_id}


def environment_list(variables: Mapping[str, str]) -> list[str]:
    """Variables as the Engine takes them, byte for byte; InvalidInput for what it cannot carry."""
    for name in variables:
        if not name or "=" in name:
            raise InvalidInput(f"The variable name {name!r} is empty or contains '='.", field="variables")
    return [
        f"{_carried(name, field='variables')}={_carried(value, field='variables')}" for name, value in variables.items()
    ]


def network_payload(name: str, *, subnet: str, gateway: str, labels: Mapping[str, str]) -> Document:
    """Body of `POST /networks/create` for the network of one environment."""
    return {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": subnet, "Gateway": gateway, "IPRange": halves(subnet)[0]}]},
        "Options": {"com.docker.network.bridge.enable_icc": "true"},
        "Labels": dict(labels),
    }


def _endpoint(aliases: Sequence[str], address: str) -> Document:
    return {"Aliases": list(aliases), **({"IPAMConfig": {"IPv4Address": address}} if address else {})}


def _host_config(spec: RunSpec, *, labels: Mapping[str, str], with_init: bool) -> Document:
    return {
        "NetworkMode": spec.network,
        "ExtraHosts": [f"{name}:{address}" for name, address in spec.hosts.items()],
        "Mounts": [_mount(volume, owner=labels[OWNER_LABEL]) for volume in spec.volumes],
        "RestartPolicy": {"Name": "no"},
        "SecurityOpt": ["no-new-privileges:true"],
        "CapDrop": list(DROPPED_CAPABILITIES),
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        **({"Init": True} if with_init else {}),
        **_resources(spec.limits),
    }


def _resources(limits: Limits) -> Document:
    resources: Document = {"PidsLimit": limits.pids}
    if limits.memory_bytes:
        resources |= {"Memory": limits.memory_bytes, "MemorySwap": limits.memory_bytes}
    if limits.cpus:
        resources["NanoCpus"] = round(limits.cpus * 1_000_000_000)
    return resources


def _mount(volume: VolumeMount, *, owner: str) -> Document:
    if not re.fullmatch(_VOLUME_NAME, volume.name):
        raise InvalidInput(
            f"The volume name {volume.name!r} is not one of letters, digits, '_', '.', '-'.", field="volumes"
        )
    if not volume.path.startswith("/") or volume.path == "/" or ".." in volume.path.split("/"):
        raise InvalidInput(f"The volume path {volume.path!r} is not an absolute path.", field="volumes")
    return {
        "Type": "volume",
        "Source": volume.name,
        "Target": _carried(volume.path, field="volumes"),
        "VolumeOptions": {"Labels": {OWNER_LABEL: owner}},
    }


def _release_labels(spec: RunSpec, *, installation_id: str) -> dict[str, str]:
    free = {name: value for name, value in spec.labels.items() if name not in {INSTANCE_LABEL, COMMAND_LABEL}}
    return {
        # Containers inherit their image's labels: without this, a Dockerfile could enrol itself in any Traefik here.
        "traefik.enable": "false",
        **free,
        OWNER_LABEL: installation_id,
        WORKLOAD_LABEL: spec.workload_id,
        RELEASE_LABEL: spec.release_id,
        DEPLOYMENT_LABEL: spec.deployment_id,
        "towline.project": spec.project,
        "towline.service": spec.service,
        "towline.environment": spec.environment,
    }


def _carried(text: str, *, field: str) -> str:
    # a lone surrogate would arrive as U+FFFD, a NUL ends a C string
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput(f"A value in {field} contains a NUL or bytes that are not UTF-8.", field=field)
    return text
