"""What the supervisor starts, as plain values."""

import hashlib
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from towline.supervise.logs import read_tail


@dataclass(frozen=True, slots=True)
class SystemUser:
    """An account with a passwd entry, as PostgreSQL's peer authentication needs it."""

    name: str
    user_id: int
    group_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to execute, as whom and where; `user` None means the caller."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    folder: Path = Path("/")
    user: SystemUser | None = None
    umask: int = 0o022

    def fingerprint(self, revision: str = "") -> str:
        """Digest of everything that makes a running process differ from a wanted one."""
        facts = (self.arguments, sorted(self.environment.items()), self.folder, self.user, self.umask, revision)
        return hashlib.sha256(repr(facts).encode()).hexdigest()


def _always() -> bool:
    return True


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process the supervisor keeps running.

    `survives`: outlives the supervisor and is adopted by the next one when started in the same way (`revision` names
    the content of its configuration files). `runs_once`: a step that is done when it exits with 0. `needs` names the
    parts that must be ready before its first start. `before_start` clears what a dead predecessor left.
    `after_start` is called with the process id at some times (`settles_after`, in seconds) after it was ready.
    `errors` is a log of the program's own, when it does not write to its output.
    """

    name: str
    title: str
    program: Program
    survives: bool = False
    runs_once: bool = False
    needs: tuple[str, ...] = ()
    revision: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    is_ready: Callable[[], bool] = field(default=_always)
    before_start: Callable[[], None] = field(default=_nothing)
    after_start: Callable[[int], None] | None = None
    settles_after: tuple[float, ...] = (15.0, 45.0)  # the second for what a first deployment needed, if one came late
    errors: Path | None = None

    @property
    def fingerprint(self) -> str:
        """Digest of the program and its configuration."""
        return self.program.fingerprint(self.revision)

    @property
    def last_words(self) -> str:
        """The last line of the part's log, cut to what fits into a sentence."""
        lines = read_tail(self.errors or self.program.log, lines=1)
        return lines[0].strip()[-300:] if lines else ""
