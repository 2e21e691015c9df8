"""What happens to instances, as the Engine reports it."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from towline.errors import OrchestratorUnavailable
from towline.orchestrators.docker.engine import Document, Engine, section
from towline.orchestrators.docker.exits import ExitWatch
from towline.orchestrators.docker.instances import list_containers
from towline.orchestrators.docker.payloads import INSTANCE_LABEL, OWNER_LABEL, WORKLOAD_LABEL
from towline.orchestrators.docker.states import health_from
from towline.values import InstanceEvent

_KINDS: Final = ("start", "die", "oom", "health_status")
_PENDING_LIMIT: Final = 4 * 1024 * 1024


def follow_events(engine: Engine, *, installation_id: str) -> AsyncGenerator[InstanceEvent]:
    """Events from the moment of this call on, also those that happen before the first is asked for."""
    labels = [f"{OWNER_LABEL}={installation_id}", INSTANCE_LABEL]
    filters = {"type": ["container"], "event": list(_KINDS), "label": labels}
    return _follow(engine, {"since": f"{time.time():.6f}", "filters": json.dumps(filters)}, labels)


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


async def _follow(engine: Engine, params: dict[str, str], labels: list[str]) -> AsyncGenerator[InstanceEvent]:
    """The Engine's events, and ahead of them the exits that the kernel tells of."""
    events: asyncio.Queue[InstanceEvent | None] = asyncio.Queue()
    async with ExitWatch(engine, events.put_nowait) as watch:
        reading = asyncio.create_task(_read(engine, params, labels, events=events, watch=watch), name="engine events")
        reading.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await reading
        finally:
            reading.cancel()
            await asyncio.wait([reading])
    raise OrchestratorUnavailable("Docker has ended its stream of events.")


async def _read(
    engine: Engine,
    params: dict[str, str],
    labels: list[str],
    *,
    events: asyncio.Queue[InstanceEvent | None],
    watch: ExitWatch,
) -> None:
    for row in await list_containers(engine, labels):
        if row["State"] == "running":
            watch.add(row["Id"])
    async with aclosing(_messages(engine, params)) as messages:
        async for message in messages:
            event = find_event(message)
            if event is None:
                continue
            if event.kind == "start":
                watch.add(section(message, "Actor")["ID"])
            events.put_nowait(event)


async def _messages(engine: Engine, params: dict[str, str]) -> AsyncGenerator[Document]:
    pending = b""
    async with engine.stream("GET", "events", params=params) as response:
        async for chunk in response.content.iter_any():
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)
            if len(pending) > _PENDING_LIMIT:
                return
