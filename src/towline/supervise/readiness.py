"""Waiting until a supervisor's parts are ready, and telling people how far it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from towline.errors import Unavailable
from towline.supervise.identity import read_identity
from towline.supervise.installation import Installation, get_installation
from towline.supervise.layout import Layout
from towline.supervise.logs import read_tail
from towline.supervise.probes import answers_http
from towline.supervise.status import PartState, PartStatus, Status, find_status

_LIMIT_SECONDS = 120.0
_LOOK_SECONDS = 0.03


@dataclass(slots=True)
class Readiness:
    """Follows one supervisor until everything is ready."""

    layout: Layout
    supervisor: int
    report: Callable[[str], None]
    _told: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def wait(self) -> Status:
        """The status once every part is ready and requests reach the API; Unavailable with the reason otherwise."""
        deadline = time.monotonic() + _LIMIT_SECONDS
        while True:
            status = find_status(self.layout.status_file)
            if status is not None and status.supervisor == self.supervisor:
                self._refuse_problem(status)
                self._tell(status)
                if status.is_ready and is_reachable(get_installation(self.layout)):
                    return status
            if read_identity(self.supervisor) is None:
                raise self._failure("The supervisor ended.", "supervisor")
            if time.monotonic() > deadline:
                raise self._overdue(status)
            time.sleep(_LOOK_SECONDS)

    def _tell(self, status: Status) -> None:
        for name, part in status.parts.items():
            line = _line_of(part)
            if line and (name, line) not in self._told:
                self._told.add((name, line))
                self.report(line)

    def _refuse_problem(self, status: Status) -> None:
        if status.problem:
            raise Unavailable(status.problem, hint=status.hint)

    def _overdue(self, status: Status | None) -> Unavailable:
        if status is None:
            return self._failure("The supervisor says nothing.", "supervisor")
        late = next((name for name, part in status.parts.items() if part.state is not PartState.READY), "")
        if not late:
            return self._failure("Everything runs, but the API is not reached through Traefik.", "traefik")
        part = status.parts[late]
        reason = f" ({part.reason})" if part.reason else ""
        return self._failure(f"{part.title} is not ready after {_LIMIT_SECONDS:.0f} s{reason}.", late)

    def _failure(self, message: str, part: str) -> Unavailable:
        log = self.layout.log_file(part)
        lines = "".join(f"\n  {line}" for line in read_tail(log, lines=5))
        return Unavailable(f"{message}{lines}", hint=f"Read {log}; `towline doctor` looks for the usual causes.")


def is_reachable(installation: Installation) -> bool:
    """Whether the API answers at the address people use (its own port in labels mode)."""
    if not installation.has_traefik:
        return answers_http(installation.ports.api, "/readyz")
    return answers_http(installation.ports.http, "/readyz", server_name=installation.platform_host)


def _line_of(part: PartStatus) -> str:
    match part.state:
        case PartState.READY:
            how = f"is ready ({part.seconds:.1f} s)" if not part.adopted else "runs already"
            return f"{part.title} {how}"
        case PartState.CRASH_LOOPING:
            return f"{part.title} keeps failing: {part.reason}"
        case _:
            return ""
