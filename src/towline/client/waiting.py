"""Waiting for a deployment: its log and its status at once, in order, until it is final."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from towline.client.deployments import Deployments
from towline.contract.deployments import Deployment
from towline.contract.logs import LogEntry
from towline.errors import TimedOut, TowlineError, Unavailable

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
_LONGEST_ABSENCE: Final = 60.0
_DRAIN_SECONDS: Final = 3.0

OnLog = Callable[[LogEntry], None]
OnChange = Callable[[Deployment], None]


def wait_for_deployment(
    deployments: Deployments,
    deployment_id: str,
    *,
    on_log: OnLog | None = None,
    on_change: OnChange | None = None,
    timeout: float | None = None,
) -> Deployment:
    """The deployment once it is final. TimedOut after `timeout` seconds (None: no limit).

    `on_log` gets every line once, in order; `on_change` the deployment whenever its status, step, attempt or queue
    reason changed, its final state included. Both are called in the caller's thread.
    """
    log = _LogReader(deployments, deployment_id) if on_log else None
    deadline = None if timeout is None else time.monotonic() + timeout
    seen: tuple[object, ...] = ()
    pause = _FIRST_PAUSE
    while True:
        deployment = _look(deployments, deployment_id)
        if deployment.status.is_final and log and on_log:
            log.pass_on(on_log, seconds=_DRAIN_SECONDS)
        facts = (deployment.status, deployment.step, deployment.attempt, deployment.queue_reason)
        if on_change and facts != seen:
            on_change(deployment)
        seen = facts
        if deployment.status.is_final:
            return deployment
        if deadline is not None and time.monotonic() > deadline:
            raise TimedOut(f"Deployment {deployment_id} is still {deployment.status} after {timeout:g} s.")
        _pause(log, on_log, seconds=pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _look(deployments: Deployments, deployment_id: str) -> Deployment:
    """The deployment, even when the server is away for a while: it restarts, too."""
    deadline = time.monotonic() + _LONGEST_ABSENCE
    while True:
        try:
            return deployments.get_status(deployment_id)
        except (Unavailable, TimedOut):
            if time.monotonic() > deadline:
                raise
            time.sleep(_LONGEST_PAUSE)


def _pause(log: "_LogReader | None", on_log: OnLog | None, *, seconds: float) -> None:
    """The end of the log cuts the pause short: the deployment is final then, or about to be."""
    if log and on_log and not log.is_done:
        log.pass_on(on_log, seconds=seconds)
        return
    time.sleep(seconds)


class _LogReader:
    """Reads the log in a thread of its own; a log that cannot be read does not stop the waiting."""

    def __init__(self, deployments: Deployments, deployment_id: str) -> None:
        self._lines: queue.SimpleQueue[LogEntry | None] = queue.SimpleQueue()
        self.is_done = False
        arguments = (deployments, deployment_id)
        threading.Thread(target=self._read, args=arguments, name="towline-log", daemon=True).start()

    def pass_on(self, on_log: OnLog, *, seconds: float) -> None:
        """Give lines to `on_log` for so long, or until the log has ended."""
        end = time.monotonic() + seconds
        while not self.is_done and (left := end - time.monotonic()) > 0:
            try:
                entry = self._lines.get(timeout=left)
            except queue.Empty:
                return
            if entry is None:
                self.is_done = True
                return
            on_log(entry)

    def _read(self, deployments: Deployments, deployment_id: str) -> None:
        try:
            for entry in deployments.follow_logs(deployment_id):
                self._lines.put(entry)
        except TowlineError:
            pass
        finally:
            self._lines.put(None)
