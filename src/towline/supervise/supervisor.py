"""The loop that keeps all parts of one installation running, asleep until something happens."""

import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from towline.errors import TowlineError
from towline.infra.disk_reserve import DiskReserve
from towline.infra.wishes import LOOK, find_wish
from towline.supervise.keeper import Keeper
from towline.supervise.layout import Layout
from towline.supervise.logs import bound_log
from towline.supervise.program import Part
from towline.supervise.reporter import Reporter
from towline.supervise.status import PartState, Status, write_status

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
RETRY_NOW = LOOK
LEAVE = signal.SIGUSR2
_HOUSEKEEPING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Parts as they should run from now on, and the fingerprint of the installation they are of."""

    parts: Sequence[Part]
    fingerprint: str


class Supervisor:
    """Starts parts in the order of their needs and restarts what dies, until told to stop.

    STOP_SIGNALS stop everything; RETRY_NOW forgets back-offs; LEAVE ends this process and the parts that do not
    survive it, and leaves the others to the next supervisor. `leash` is a process whose end stops everything too.
    `grant` grants what the API wished for, looked for whenever this wakes up; parts that are others then start anew.
    """

    def __init__(
        self,
        layout: Layout,
        parts: Sequence[Part],
        *,
        fingerprint: str = "",
        urls: Mapping[str, str] | None = None,
        leash: int = 0,
        grant: Callable[[], Plan] | None = None,
        reporter: Reporter,
    ) -> None:
        self._layout = layout
        self._keepers = {part.name: Keeper(part, pid_file=layout.pid_file(part.name)) for part in parts}
        self._fingerprint = fingerprint
        self._urls = dict(urls or {})
        self._grant = grant
        self._denied = ""
        self._reporter = reporter
        self._poll = select.poll()
        self._followed: dict[int, Keeper] = {}
        self._leash = os.pidfd_open(leash) if leash else -1
        self._signals: list[int] = []
        self._stopping: list[Keeper] | None = None
        self._published: Status | None = None
        self._housekeeping_at = 0.0
        self._reserve = DiskReserve(layout.root)
        self._disk_at = 0.0

    def run(self) -> None:
        """Return once everything is stopped, or left to the next supervisor."""
        wakeup = self._listen_to_signals()
        if self._leash >= 0:
            self._poll.register(self._leash, select.POLLIN)
        self._adopt()
        while not self._is_done():
            self._advance()
            self._publish()
            if not self._is_done():
                self._sleep(wakeup)
        self._publish()

    def _listen_to_signals(self) -> int:
        wakeup, wakeup_write = os.pipe()
        for end in (wakeup, wakeup_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
        for number in (*STOP_SIGNALS, RETRY_NOW, LEAVE):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, lambda number, _frame: self._signals.append(number))
        self._poll.register(wakeup, select.POLLIN)
        return wakeup

    def _adopt(self) -> None:
        for keeper in self._keepers.values():
            if keeper.adopt():
                self._reporter.note(f"{keeper.part.title} runs already (process {keeper.process_id}); taken over.")
            self._follow(keeper)

    def _advance(self) -> None:
        self._look_at_disk()
        self._look_at_wishes()
        for keeper in self._keepers.values():
            if self._stopping is None and not keeper.is_alive and self._has_its_needs(keeper):
                self._start(keeper)
            if keeper.look_ready():
                self._reporter.note(f"{keeper.part.title} is ready ({keeper.status.seconds:.1f} s).")
            keeper.kill_when_overdue()
            keeper.settle()
        has_clients = any(keeper.is_alive for keeper in self._keepers.values() if not keeper.part.survives)
        for keeper in self._stopping or ():
            if not (keeper.part.survives and has_clients):  # the API and the worker write to the servers to the end
                keeper.stop_for_good()
        self._keep_house()

    def _look_at_wishes(self) -> None:
        if self._grant is None or self._stopping is not None or not find_wish(self._layout.root):
            return
        try:
            plan = self._grant()
        except (TowlineError, OSError) as error:  # left as it is; the next look tries again
            if self._denied != str(error):
                self._reporter.warn(f"What the API wished for could not be done: {error}")
            self._denied = str(error)
            return
        self._fingerprint = plan.fingerprint
        for part in plan.parts:
            if self._keepers[part.name].become(part):
                self._reporter.note(f"{part.title} starts again with new settings.")

    def _start(self, keeper: Keeper) -> None:
        reason = keeper.reason
        keeper.start_when_due()
        if keeper.reason != reason:
            self._reporter.warn(keeper.reason)
        self._follow(keeper)

    def _has_its_needs(self, keeper: Keeper) -> bool:
        was_started = keeper.restarts > 0
        return was_started or all(
            self._keepers[name].state is PartState.READY for name in keeper.part.needs if name in self._keepers
        )

    def _follow(self, keeper: Keeper) -> None:
        if keeper.is_alive and keeper.watch not in self._followed:
            self._followed[keeper.watch] = keeper
            self._poll.register(keeper.watch, select.POLLIN)

    def _sleep(self, wakeup: int) -> None:
        looks = [seconds for keeper in self._keepers.values() if (seconds := keeper.next_look()) is not None]
        seconds = min([*looks, max(0.0, min(self._housekeeping_at, self._disk_at) - time.monotonic())])
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == wakeup:
                os.read(wakeup, 512)
            elif descriptor == self._leash:
                self._poll.unregister(self._leash)
                self._stop(list(self._keepers.values()))
            elif descriptor in self._followed:
                self._bury(descriptor)
        self._obey_signals()

    def _bury(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        keeper = self._followed.pop(descriptor)
        keeper.bury()
        if keeper.reason and keeper.state in {PartState.BACKING_OFF, PartState.CRASH_LOOPING}:
            self._reporter.warn(f"{keeper.reason} Starting it again{_in_words(keeper.next_look() or 0)}.")

    def _obey_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number == RETRY_NOW:
                for keeper in self._keepers.values():
                    keeper.try_now()
            elif number == LEAVE:
                self._stop([keeper for keeper in self._keepers.values() if not keeper.part.survives])
            else:
                self._stop(list(self._keepers.values()))

    def _stop(self, keepers: list[Keeper]) -> None:
        if self._stopping is None:
            self._reporter.warn("Stopping.")
        self._stopping = keepers

    def _is_done(self) -> bool:
        return self._stopping is not None and not any(keeper.is_alive for keeper in self._stopping)

    def _publish(self) -> None:
        parts = {name: keeper.status for name, keeper in self._keepers.items()}
        status = Status(os.getpid(), self._fingerprint, parts, self._urls)
        if status != self._published:
            with suppress(OSError):  # a full disk must not stop the supervision
                write_status(self._layout.status_file, status)
                self._published = status

    def _look_at_disk(self) -> None:
        if time.monotonic() < self._disk_at:
            return
        seconds = 1.0
        with suppress(OSError):  # nothing of the disk may stop the supervision
            if done := self._reserve.keep():
                self._reporter.warn(done)
            seconds = self._reserve.next_look()
        self._disk_at = time.monotonic() + seconds

    def _keep_house(self) -> None:
        if time.monotonic() < self._housekeeping_at:
            return
        self._housekeeping_at = time.monotonic() + _HOUSEKEEPING_SECONDS
        for name in (*self._keepers, "supervisor"):
            with suppress(OSError):
                bound_log(self._layout.log_file(name))


def _in_words(seconds: float) -> str:
    return f" in {seconds:.0f} s" if seconds >= 1 else ""
