"""What happens to instances, as the Engine reports it."""

import json
import time
from collections.abc import AsyncGenerator
from typing import Final

from towline.errors import OrchestratorUnavailable
from towline.orchestrators.docker.engine import Document, Engine, section
from towline.orchestrators.docker.payloads import INSTANCE_LABEL, OWNER_LABEL, WORKLOAD_LABEL
from towline.orchestrators.docker.states import health_from
from towline.values import InstanceEvent

_KINDS: Final = ("start", "die", "oom", "health_status")
_PENDING_LIMIT: Final = 4 * 1024 * 1024


def follow_events(engine: Engine, *, installation_id: str) -> AsyncGenerator[InstanceEvent]:
    """Events from the moment of this call on, also those that happen before the first is asked for."""
    filters = {
        "type": ["container"],
        "event": list(_KINDS),
        "label": [f"{OWNER_LABEL}={installation_id}", INSTANCE_LABEL],
    }
    return _follow(engine, {"since": f"{time.time():.6f}", "filters": json.dumps(filters)})


def find_event(message: Document) -> InstanceEvent | None:
    """The instance's event that a message of the Engine's tells of; None for any other."""
    attributes: dict[str, str] = section(message, "Actor", "Attributes")
    action, _, rest = str(message.get("Action", "")).partition(": ")
    instance_id, workload_id = attributes.get(INSTANCE_LABEL), attributes.get(WORKLOAD_LABEL, "")
    if instance_id is None or action not in _KINDS:
        return None
    if action == "health_status":
        return InstanceEvent("health", instance_id, workload_id, health=health_from(rest))
    if action == "die":
        return InstanceEvent("die", instance_id, workload_id, exit_code=int(attributes.get("exitCode", "0")))
    return InstanceEvent("start" if action == "start" else "oom", instance_id, workload_id)


async def _follow(engine: Engine, params: dict[str, str]) -> AsyncGenerator[InstanceEvent]:
    pending = b""
    async with engine.stream("GET", "events", params=params) as response:
        async for chunk in response.content.iter_any():
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                event = find_event(json.loads(line)) if line.strip() else None
                if event is not None:
                    yield event
            if len(pending) > _PENDING_LIMIT:
                break
    raise OrchestratorUnavailable("Docker has ended its stream of events.")
