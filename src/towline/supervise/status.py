"""What the supervisor tells the world about its parts, in one small file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from towline.supervise.identity import read_identity


class PartState(StrEnum):
    """Where a part stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing-off"
    CRASH_LOOPING = "crash-looping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part as people see it; `seconds` is how long its last start took, `reason` why it is not ready."""

    title: str
    state: PartState
    process_id: int = 0
    restarts: int = 0
    adopted: bool = False
    seconds: float = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The supervisor and its parts; `problem` is why it could not start them at all."""

    supervisor: int
    fingerprint: str
    parts: Mapping[str, PartStatus] = field(default_factory=dict[str, PartStatus])
    urls: Mapping[str, str] = field(default_factory=dict[str, str])
    problem: str = ""
    hint: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether every part is ready."""
        return bool(self.parts) and all(part.state is PartState.READY for part in self.parts.values())


def write_status(path: Path, status: Status) -> None:
    """Put the status in place in one step; readable by this user alone, as URLs may hold passwords."""
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(asdict(status)))
    temporary.replace(path)


def find_status(path: Path) -> Status | None:
    """The status of a running supervisor; None when there is none or it is dead."""
    try:
        fields: dict[str, Any] = json.loads(path.read_text())
        entries: dict[str, dict[str, Any]] = fields["parts"]
        fields["parts"] = {name: _read_part(entry) for name, entry in entries.items()}
        status = Status(**fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return status if read_identity(status.supervisor) else None


def _read_part(fields: dict[str, Any]) -> PartStatus:
    fields["state"] = PartState(fields["state"])
    return PartStatus(**fields)
