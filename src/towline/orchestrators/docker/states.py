"""What the Engine says of a container, read into an Instance."""

import re
from datetime import datetime
from typing import Final

from towline.orchestrators.docker.engine import Document, section
from towline.orchestrators.docker.payloads import DEPLOYMENT_LABEL, INSTANCE_LABEL, RELEASE_LABEL, WORKLOAD_LABEL
from towline.values import HealthStatus, Instance, InstanceState

_STATES: Final = {
    "created": InstanceState.STARTING,
    "restarting": InstanceState.STARTING,
    "running": InstanceState.RUNNING,
    "paused": InstanceState.RUNNING,
}
_HEALTH: Final = {"healthy": HealthStatus.HEALTHY, "unhealthy": HealthStatus.UNHEALTHY}


def instance_from_inspection(document: Document) -> Instance:
    """Everything about one container, from `GET /containers/ID/json`."""
    labels: dict[str, str] = document["Config"]["Labels"]
    state: Document = document["State"]
    stands = _STATES.get(state["Status"], InstanceState.EXITED)
    has_ended = state["Status"] in {"exited", "dead", "restarting", "removing"}
    return Instance(
        id=labels[INSTANCE_LABEL],
        engine_id=document["Id"],
        name=document["Name"].lstrip("/"),
        workload_id=labels[WORKLOAD_LABEL],
        release_id=labels[RELEASE_LABEL],
        deployment_id=labels[DEPLOYMENT_LABEL],
        state=stands,
        address=_address(document) if stands is InstanceState.RUNNING else "",
        exit_code=state["ExitCode"] if has_ended else None,
        is_out_of_memory=bool(has_ended and state.get("OOMKilled")),
        started_at=find_time(state.get("StartedAt", "")),
        finished_at=find_time(state.get("FinishedAt", "")) if has_ended else None,
        restarts=document.get("RestartCount", 0),
        engine_health=health_from(section(state, "Health").get("Status", "")),
    )


def instance_from_listing(row: Document) -> Instance:
    """What one row of `GET /containers/json` tells: no times, no count of restarts, nothing about memory."""
    labels: dict[str, str] = row["Labels"]
    stands = _STATES.get(row["State"], InstanceState.EXITED)
    code = re.match(r"(?:Exited|Restarting) \((-?\d+)\)", row["Status"])
    health = re.search(r"\((healthy|unhealthy)\)$", row["Status"])
    return Instance(
        id=labels[INSTANCE_LABEL],
        engine_id=row["Id"],
        name=row["Names"][0].lstrip("/"),
        workload_id=labels[WORKLOAD_LABEL],
        release_id=labels[RELEASE_LABEL],
        deployment_id=labels[DEPLOYMENT_LABEL],
        state=stands,
        address=_address(row) if stands is InstanceState.RUNNING else "",
        exit_code=int(code[1]) if code else None,
        engine_health=health_from(health[1] if health else ""),
    )


def health_from(status: str) -> HealthStatus:
    """The Engine's word for an image's HEALTHCHECK; unknown while it starts or where there is none."""
    return _HEALTH.get(status, HealthStatus.UNKNOWN)


def find_time(text: str) -> datetime | None:
    """A time of the Engine's (RFC 3339 with nanoseconds), cut to microseconds; None for its zero time."""
    return None if not text or text.startswith("0001-") else datetime.fromisoformat(text)


def _address(document: Document) -> str:
    """The address in the container's own network, whatever others it is a guest of."""
    endpoint = section(document, "NetworkSettings", "Networks", own_network(document))
    return str(endpoint.get("IPAddress") or "")


def own_network(document: Document) -> str:
    """The network that a container was made for."""
    return str(section(document, "HostConfig").get("NetworkMode", ""))
