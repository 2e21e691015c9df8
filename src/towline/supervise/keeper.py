"""The life of one part: started, watched, started again with back-off, adopted, stopped."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from towline.errors import TowlineError
from towline.supervise.identity import find_running_record
from towline.supervise.program import Part
from towline.supervise.spawn import spawn
from towline.supervise.status import PartState, PartStatus

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 15.0
_STEADY_SECONDS = 60.0  # a run this long makes earlier deaths not count
_LOOP_DEATHS = 5


class Keeper:
    """Keeps one part running; every method returns at once."""

    def __init__(self, part: Part, *, pid_file: Path) -> None:
        self.part = part
        self.state = PartState.WAITING
        self.process_id = 0
        self.watch = -1  # a pidfd: readable once the process is gone
        self.restarts = 0
        self.reason = ""
        self._pid_file = pid_file
        self._adopted = False
        self._deaths = 0
        self._started_at = 0.0
        self._ready_after = 0.0
        self._due_at = 0.0
        self._kill_at = 0.0
        self._times_settled = 0

    @property
    def is_alive(self) -> bool:
        """Whether a process of the part runs."""
        return self.watch >= 0

    @property
    def status(self) -> PartStatus:
        """The part as people see it."""
        return PartStatus(
            title=self.part.title,
            state=self.state,
            process_id=self.process_id,
            restarts=self.restarts,
            adopted=self._adopted,
            seconds=round(self._ready_after, 3),
            reason=self.reason,
        )

    def adopt(self) -> bool:
        """Take over the process an earlier supervisor left, when it was started just as it would be now.

        Any other leftover of this part is told to end; `start` waits for it.
        """
        record = find_running_record(self._pid_file)
        if record is None:
            return False
        is_wanted = self.part.survives and record.fingerprint == self.part.fingerprint
        self._watch(record.identity.process_id)
        self._adopted = is_wanted
        self._started_at = time.monotonic()
        self.state = PartState.STARTING if is_wanted else PartState.WAITING
        if not is_wanted:
            self.stop()
        return is_wanted

    def start_when_due(self) -> None:
        """Start the part unless it runs or its back-off has not passed."""
        if self.is_alive or self.state is PartState.READY or time.monotonic() < self._due_at:
            return
        self._started_at = time.monotonic()
        self._adopted = False
        self._times_settled = 0
        try:
            self.part.before_start()
            self._watch(spawn(self.part, self._pid_file))
        except (TowlineError, OSError) as error:
            self._back_off(str(error))
            return
        self.state = PartState.STARTING

    def look_ready(self) -> bool:
        """Ask a starting part whether it is ready; True when that has just become so."""
        if self.state is not PartState.STARTING or self.part.runs_once or not self.is_alive or not self.part.is_ready():
            return False
        self.state = PartState.READY
        self._ready_after = time.monotonic() - self._started_at
        self.reason = ""
        return True

    def settle(self) -> None:
        """Do what is to be done after a start, when the part has been ready for a while."""
        if self.part.after_start and self._is_to_settle and time.monotonic() >= self._settles_at:
            self._times_settled += 1
            self.part.after_start(self.process_id)

    def bury(self) -> None:
        """Take note that the process has gone, and decide when to start the next."""
        exit_text, is_success = _reap(self.process_id)
        os.close(self.watch)
        self.watch, self.process_id, self._kill_at = -1, 0, 0.0
        self._pid_file.unlink(missing_ok=True)
        if self.state in {PartState.STOPPED, PartState.WAITING}:
            return
        if self.part.runs_once and is_success:
            self.state, self._ready_after, self.reason = PartState.READY, time.monotonic() - self._started_at, ""
            return
        words = self.part.last_words if exit_text.startswith("exited") else ""
        self._back_off(f"{self.part.title} {exit_text}." + (f" Its last words: {words}" if words else ""))

    def stop(self) -> None:
        """Ask the process to end; it is killed when it takes longer than its part allows."""
        if self.is_alive and not self._kill_at:
            self._send(self.part.stop_signal)
            self._kill_at = time.monotonic() + self.part.stop_seconds

    def stop_for_good(self) -> None:
        """Stop, and do not start again."""
        self.state = PartState.STOPPED
        self.stop()

    def become(self, part: Part) -> bool:
        """Be another version of the part from now on; whether its process ends now, to be started anew, for that.

        A step that runs once is not run again.
        """
        is_changed = part.fingerprint != self.part.fingerprint and not part.runs_once
        self.part = part
        if not (is_changed and self.is_alive):
            return False
        self.state, self.reason = PartState.WAITING, ""
        self.stop()
        return True

    def kill_when_overdue(self) -> None:
        """Kill a process that did not end in its time."""
        if self._kill_at and time.monotonic() >= self._kill_at:
            self._send(signal.SIGKILL)

    def try_now(self) -> None:
        """Forget the back-off."""
        self._due_at = 0.0

    def next_look(self) -> float | None:
        """Seconds until this part needs attention again; None when only its death would."""
        now = time.monotonic()
        if self._kill_at:
            return max(0.01, self._kill_at - now)
        if self.state is PartState.STARTING:
            return None if self.part.runs_once else min(0.5, max(0.01, (now - self._started_at) / 10))
        if self.state in {PartState.BACKING_OFF, PartState.CRASH_LOOPING}:
            return max(0.01, self._due_at - now)
        return max(0.01, self._settles_at - now) if self._is_to_settle else None

    @property
    def _is_to_settle(self) -> bool:
        has_more = self._times_settled < len(self.part.settles_after)
        return self.part.after_start is not None and self.state is PartState.READY and has_more

    @property
    def _settles_at(self) -> float:
        return self._started_at + self._ready_after + self.part.settles_after[self._times_settled]

    def _watch(self, process_id: int) -> None:
        self.process_id = process_id
        self.watch = os.pidfd_open(process_id)

    def _back_off(self, reason: str) -> None:
        lived = time.monotonic() - self._started_at
        self._deaths = 1 if lived >= _STEADY_SECONDS else self._deaths + 1
        self.restarts += 1
        self.reason = reason
        self.state = PartState.CRASH_LOOPING if self._deaths >= _LOOP_DEATHS else PartState.BACKING_OFF
        delay = 0.0 if self._deaths == 1 and lived >= 1 else min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (self._deaths - 1))
        self._due_at = time.monotonic() + delay

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(self.watch, number)


def _reap(process_id: int) -> tuple[str, bool]:
    try:
        _, wait_status = os.waitpid(process_id, 0)
    except ChildProcessError:
        return "ended", False  # adopted: somebody else's child
    code = os.waitstatus_to_exitcode(wait_status)
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}", False
    return f"exited with code {code}", code == 0
