"""Events and log lines as they go over the wire: made into text once, whoever listens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

FACTS: Final = {
    "code": "code",
    "environment": "environment",
    "environmentId": "environment_id",
    "error": "error",
    "group": "group",
    "hint": "hint",
    "instance": "instance",
    "logs": "logs",
    "message": "message",
    "number": "number",
    "preview": "preview",
    "progress": "progress",
    "release": "release",
    "replicas": "replicas",
    "responseMs": "response_ms",
    "run": "run",
    "status": "status",
    "step": "step",
    "urls": "urls",
    "was": "was",
}
"""What the contract's EventDetail has, by the names that rows keep; nothing else leaves by this door."""


@dataclass(slots=True)
class SharedText:
    """A text for many listeners, and what their connections send of it: made by the first one, for all."""

    text: str
    packed: bytes = b""


@dataclass(frozen=True, slots=True)
class EventMessage:
    """One event, the rooms it belongs to, and its text."""

    sequence: int
    rooms: tuple[str, ...]
    told: SharedText

    @property
    def size(self) -> int:
        """How many characters wait with it."""
        return len(self.told.text)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a deployment's log belongs to."""

    project_id: str
    service_id: str
    deployment_id: str


@dataclass(frozen=True, slots=True)
class LogMessage:
    """Lines `first` to `last` of a deployment's log, as JSON objects joined by commas."""

    deployment_id: str
    first: int
    last: int
    at: str
    lines: str
    _told: dict[int, SharedText] = field(default_factory=dict[int, SharedText], compare=False)

    @property
    def size(self) -> int:
        """How many characters wait with it."""
        return len(self.lines)

    def told(self, origin: Origin, *, sequence: int) -> SharedText:
        """Its text; one for all listeners that were told the same events before."""
        told = self._told.get(sequence)
        if told is None:
            told = self._told[sequence] = SharedText(log_text([self], origin, sequence=sequence))
        return told

    def follows(self, other: "LogMessage") -> bool:
        """Whether it goes on where the other ends."""
        return self.deployment_id == other.deployment_id and self.first == other.last + 1


def event_message(payload: Mapping[str, Any]) -> EventMessage:
    """An event from the payload that actions.events publishes, with what its row says besides left out."""
    facts: Mapping[str, Any] = payload["data"]
    shown = {name: payload[name] for name in ("sequence", "type", "at", "projectId", "serviceId", "deploymentId")}
    shown["data"] = {FACTS[name]: value for name, value in facts.items() if name in FACTS}
    rooms = [("project", payload["projectId"]), ("deployment", payload["deploymentId"]), ("user", payload["userId"])]
    return EventMessage(
        sequence=payload["sequence"],
        rooms=tuple(f"{kind}:{object_id}" for kind, object_id in rooms if object_id),
        told=SharedText(orjson.dumps(shown).decode()),
    )


def log_message(deployment_id: str, lines: Sequence[Mapping[str, Any]]) -> LogMessage:
    """Lines that follow each other without a gap."""
    text = orjson.dumps(lines).decode()[1:-1]
    return LogMessage(deployment_id, lines[0]["sequence"], lines[-1]["sequence"], _time(lines[-1]["at"]), text)


def log_text(messages: Sequence[LogMessage], origin: Origin, *, sequence: int) -> str:
    """Lines as a `deployment.progress` event; `sequence` is that of the last event the listener was told."""
    head = (
        f'{{"sequence":{sequence},"type":"deployment.progress","at":"{messages[-1].at}",'
        f'"projectId":"{origin.project_id}",'
        f'"serviceId":"{origin.service_id}","deploymentId":"{origin.deployment_id}","data":{{"logs":['
    )
    return f"{head}{','.join(message.lines for message in messages)}]}}}}"


def reply_text(content: Mapping[str, Any]) -> str:
    """An answer to a listener's own call."""
    return orjson.dumps(content).decode()


def _time(at: Any) -> str:
    return at if isinstance(at, str) else at.isoformat()
